"""Signed documents for tests, made by libxmlsec1 and not by our own code.

The base is an Envelope (Id e1) with a Header and a Body that holds one Declaration (Id d1).
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

import xmlsec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from gateway.errors import Rejected
from gateway.message import SignatureReport
from gateway.security.certificates import Trust
from gateway.security.revocation import NoRevocation
from gateway.security.signatures import Policy, Verifier
from gateway.security.xml import parse
from tests.security.pki import AT, Party, ca, trader_a

DS = "http://www.w3.org/2000/09/xmldsig#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
C14N10 = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N11 = "http://www.w3.org/2006/12/xml-c14n11"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{DS}enveloped-signature"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA256 = f"{MORE}rsa-sha256"

DECLARATION = (
    '<d:Declaration xmlns:d="urn:test:declaration" Id="d1"><d:LRN>LRN-1</d:LRN><d:Consignor>Żółć &amp; Syn</d:Consignor>'
    '<d:Goods kind="a" amount="5">12</d:Goods><d:Note/>{inner}</d:Declaration>'
)
ENVELOPE = (
    '<e:Envelope xmlns:e="urn:test:envelope" xmlns:x="urn:test:x" Id="e1">\n  <e:Header><e:MessageId>m-1</e:MessageId></e:Header>\n'
    "  <e:Body>" + DECLARATION + "</e:Body>\n  {root}</e:Envelope>"
)


def transform(algorithm: str, content: str = "", p: str = "ds:") -> str:
    return f'<{p}Transform Algorithm="{algorithm}">{content}</{p}Transform>'


def reference(
    uri: str | None = "",
    transforms: Sequence[str] | None = (ENVELOPED, EXC),
    digest: str = SHA256,
    p: str = "ds:",
    type_: str = "",
    value: str = "",
) -> str:
    inner = "" if transforms is None else "".join(t if t.startswith("<") else transform(t, p=p) for t in transforms)
    wrapped = "" if transforms is None else f"<{p}Transforms>{inner}</{p}Transforms>"
    attributes = (f' Type="{type_}"' if type_ else "") + ("" if uri is None else f' URI="{uri}"')
    return (
        f'<{p}Reference{attributes}>{wrapped}<{p}DigestMethod Algorithm="{digest}"/><{p}DigestValue>{value}</{p}DigestValue></{p}Reference>'
    )


def signature(
    *references: str, party: Party | None = None, c14n: str = EXC, method: str = RSA256, p: str = "ds:", key_info: str | None = None,
    extra: str = "", c14n_content: str = "",
) -> str:  # fmt: skip
    party = party or trader_a()
    xmlns = f'xmlns:{p[:-1]}="{DS}"' if p else f'xmlns="{DS}"'
    if key_info is None:
        key_info = x509(party.base64, p=p)
    return (
        f'<{p}Signature {xmlns} Id="s1"><{p}SignedInfo><{p}CanonicalizationMethod Algorithm="{c14n}">{c14n_content}'
        f'</{p}CanonicalizationMethod><{p}SignatureMethod Algorithm="{method}"/>{"".join(references)}</{p}SignedInfo>'
        f"<{p}SignatureValue/>{key_info}{extra}</{p}Signature>"
    )


def x509(*certificates: str, p: str = "ds:") -> str:
    found = "".join(f"<{p}X509Certificate>{c}</{p}X509Certificate>" for c in certificates)
    return f"<{p}KeyInfo><{p}X509Data>{found}</{p}X509Data></{p}KeyInfo>"


def signed(text: str, party: Party | None = None) -> bytes:
    """Let libxmlsec1 fill in the template: digests and value."""
    root = etree.fromstring(text.encode())
    xmlsec.tree.add_ids(root, ["Id", "ID", "id"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory((party or trader_a()).key_pem, xmlsec.KeyFormat.PEM)
    context.sign(next(root.iter(f"{{{DS}}}Signature")))
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def by_hand(text: str, sign: Callable[[bytes], bytes], digest: Callable[[bytes], bytes] = lambda b: hashlib.sha256(b).digest()) -> bytes:
    """For what libxmlsec1 will not make: fills empty values of an enveloped signature (exclusive c14n) with any functions."""
    root = etree.fromstring(text.encode())
    element = next(root.iter(f"{{{DS}}}Signature"))
    parent, place = element.getparent(), element.getparent().index(element)
    before = etree.tostring(root)
    parent.remove(element)
    content = etree.tostring(root, method="c14n", exclusive=True)
    assert b"Signature" not in content
    root = etree.fromstring(before)
    element = next(root.iter(f"{{{DS}}}Signature"))
    assert element.getparent().index(element) == place
    for value in element.iter(f"{{{DS}}}DigestValue"):
        if not value.text:
            value.text = b64encode(digest(content)).decode()
    info = etree.tostring(element.find(f"{{{DS}}}SignedInfo"), method="c14n", exclusive=True)
    element.find(f"{{{DS}}}SignatureValue").text = b64encode(sign(info)).decode()
    return etree.tostring(root, encoding="UTF-8")


def rsa_signer(party: Party, hash_: Any = None) -> Callable[[bytes], bytes]:
    return lambda octets: party.key.sign(octets, padding.PKCS1v15(), hash_ or hashes.SHA256())


def root_signed(**options: Any) -> bytes:
    """The Envelope, signed as a whole."""
    party = options.get("party")
    return signed(ENVELOPE.format(inner="", root=signature(reference(""), **options)), party)


def inner_signed(**options: Any) -> bytes:
    """The Envelope, of which only the Declaration is signed, by its Id."""
    party = options.get("party")
    return signed(ENVELOPE.format(inner="", root=signature(reference("#d1", (EXC,)), **options)), party)


def judge(
    content: bytes, anchors: Sequence[Party] = (), at: Any = AT, require_root: bool = False
) -> tuple[etree._Element, SignatureReport]:
    """Our verdict. Raises Rejected."""
    trust = Trust([anchor.certificate for anchor in anchors or (ca(),)])
    verifier = Verifier(trust, NoRevocation(), Policy(require_root=require_root))
    return verifier.verify(verifier.set_aside(parse(content)), at)


def code(content: bytes, anchors: Sequence[Party] = (), at: Any = AT, require_root: bool = False) -> str:
    """`valid`, or the code of the refusal."""
    try:
        judge(content, anchors, at, require_root)
    except Rejected as refusal:
        return refusal.code
    return "valid"


def xmlsec_accepts(content: bytes, party: Party | None = None) -> bool:
    """The first oracle: libxmlsec1 with the key pinned."""
    try:
        root = etree.fromstring(content)
        xmlsec.tree.add_ids(root, ["Id", "ID", "id"])
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory((party or trader_a()).pem, xmlsec.KeyFormat.CERT_PEM)
        element = xmlsec.tree.find_node(root, "Signature")
        if element is None:
            return False
        context.verify(element)
    except (xmlsec.Error, etree.XMLSyntaxError):
        return False
    return True
