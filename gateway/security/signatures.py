"""Verifying what a document's signature says: what exactly is signed, by whom, and that it is true.

One core for all shapes (enveloped, detached in the document, enveloping) on lxml's canonicalisation and `cryptography`:
signxml takes wrapped documents by default, refuses valid C14N 1.0 signatures and parses six times. The form is judged
first and cheaply, then the signature value, then the chain, and only then are the digests of the document computed:
who has no certificate of ours cannot make us work.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from lxml import etree
from lxml.etree import _Element

from gateway.errors import Rejected
from gateway.message import Candidate, SignatureReport
from gateway.ports import Revocation
from gateway.security.algorithms import DIGESTS, METHODS, check_value
from gateway.security.canonical import again, canonical, inherited_attributes, octets, standalone, with_inherited
from gateway.security.certificates import Holder, Trust
from gateway.security.key_info import KeyInfo, check_bare_key, read_key_info
from gateway.security.references import Coverage, resolve
from gateway.security.structure import SIGNATURE, Reference, SignatureParts, read_signature
from gateway.security.xades import SignedProperties, check_properties, read_properties

MAX_SIGNATURES = 5


@dataclass(frozen=True, slots=True)
class Policy:
    """What a place asks of signatures. `require_root`: only a signature over the whole document will do."""

    require_root: bool = True
    clock_tolerance: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A signature of good form, taken out of the document, with everything that needed its place in it."""

    parts: SignatureParts
    signed_info: bytes
    inside: tuple[tuple[Reference, bytes], ...]
    coverage: Coverage
    key_info: KeyInfo
    properties: SignedProperties | None
    path: str


class Verifier:
    """Keeper of the `Verifier` port. Safe to share between threads; a document belongs to one."""

    def __init__(self, trust: Trust, revocation: Revocation, policy: Policy | None = None) -> None:
        self._trust = trust
        self._revocation = revocation
        self._policy = policy or Policy()

    def set_aside(self, root: _Element, countersigned: bool = False) -> Candidate:
        """Take the signature out of `root` (changed in place, the tail text stays). The payload is `root` itself when the
        whole document is signed, else a document of its own made of the signed element. A defect is kept for `verify`.

        `countersigned`: of two signatures that end the document the first one is left where it is. It is then like any other
        element, judged by nobody here and covered by the second: whoever asks for this must know what it has to be.
        """
        signatures = list(islice(root.iter(SIGNATURE), MAX_SIGNATURES + 1))
        if countersigned and len(signatures) == 2 and list(root)[-2:] == signatures:
            del signatures[0]
        try:
            prepared = self._prepare(root, signatures)
        except Rejected as defect:
            for signature in signatures:
                if signature.getparent() is root:
                    detach(signature)
            return Candidate(root, defect)
        if prepared.parts.element is not root:
            detach(prepared.parts.element)
        payload = prepared.coverage.payload
        return Candidate(root if payload is root else standalone(payload), prepared)

    def verify(self, candidate: Candidate, at: datetime) -> tuple[_Element, SignatureReport]:
        """The payload, now proven, and the report. `at` is the time to judge certificates by.

        Raises Rejected(signature.* | certificate.*).
        """
        prepared = candidate.opaque
        if isinstance(prepared, Rejected):
            raise Rejected(prepared.code, **prepared.context)
        if not isinstance(prepared, _Prepared):
            raise TypeError("this candidate was not set aside by gateway.security")
        holder = self._check_signer(prepared, at)
        for reference, content in prepared.inside:
            _check_digest(reference, content)
        for reference, target in prepared.coverage.outside:
            _check_target(reference, target, prepared.coverage.payload, candidate.payload)
        properties = prepared.properties
        if properties is not None:
            check_properties(properties, holder, at, self._policy.clock_tolerance)
        report = SignatureReport(
            signed=prepared.path,
            signer=holder.signer,
            algorithm=METHODS[prepared.parts.method].name,
            digest_algorithm=DIGESTS[prepared.coverage.outside[0][0].digest_method][1],
            form="XML-DSig" if properties is None else "XAdES-BES",
            claimed_at=properties.claimed_at if properties else None,
            revocation=self._revocation.check(holder.der, at),
        )
        return candidate.payload, report

    def _prepare(self, root: _Element, signatures: list[_Element]) -> _Prepared:
        """Everything that can be judged without a key, while the signature still stands in its place."""
        if not signatures:
            raise Rejected("signature.missing")
        if len(signatures) > MAX_SIGNATURES:
            raise Rejected("signature.limit", what="signatures", value=f"> {MAX_SIGNATURES}", limit=MAX_SIGNATURES)
        if len(signatures) > 1:
            raise Rejected("signature.multiple", count=len(signatures))
        parts = read_signature(signatures[0])
        key_info = read_key_info(parts.key_info)
        coverage = resolve(root, parts)
        if self._policy.require_root and coverage.payload is not root and parts.element is not root:
            raise Rejected("signature.coverage", detail="only a part of the document is signed")
        return _Prepared(
            parts=parts,
            signed_info=canonical(parts.signed_info, parts.canonicalization),
            inside=tuple([(reference, _transformed(reference, target)) for reference, target in coverage.inside]),
            coverage=coverage,
            key_info=key_info,
            properties=read_properties(parts, coverage.inside),
            path=_path(coverage.payload),
        )

    def _check_signer(self, prepared: _Prepared, at: datetime) -> Holder:
        holder = self._trust.holder(prepared.key_info.certificates)
        check_bare_key(prepared.key_info, holder.key)
        numbers = {holder.signer.serial, *(other.serial_number for other in holder.others)}
        if not numbers.issuperset(prepared.key_info.serials):
            raise Rejected("signature.structure", detail="X509IssuerSerial names a certificate that is not there")
        check_value(prepared.parts.method, holder.key, prepared.parts.value, prepared.signed_info)
        self._trust.judge(holder, at)
        return holder


def detach(signature: _Element) -> None:
    """Remove the signature; lxml takes the text behind it along, so that goes back first."""
    parent, before, tail = signature.getparent(), signature.getprevious(), signature.tail
    if parent is None:
        return
    parent.remove(signature)
    if tail and before is not None:
        before.tail = (before.tail or "") + tail
    elif tail:
        parent.text = (parent.text or "") + tail


def _transformed(reference: Reference, target: _Element) -> bytes:
    first, *more = reference.canonicalizations
    content = canonical(target, first)
    for how in more:
        content = again(content, how)
    return content


def _check_target(reference: Reference, target: _Element, payload: _Element, copy: _Element) -> None:
    """The digest of the payload is taken from the very tree that is handed on (`copy` is the payload or made from it)."""
    if target is not payload:
        _check_digest(reference, _transformed(reference, target))
        return
    first, *more = reference.canonicalizations
    inherited = {} if copy is payload else inherited_attributes(payload, first.method)
    with_inherited(copy, inherited)
    content = octets(copy, first)
    for name in inherited:
        own = payload.get(name)
        if own is None:
            del copy.attrib[name]
        else:
            copy.set(name, own)
    for how in more:
        content = again(content, how)
    if _matches(reference, content):
        return
    # By the standard URI="" means the document with the processing instructions beside its root, which libxml2 digests
    # and signxml does not. They mean nothing here, so either way of signing is taken.
    if reference.uri == "" and (copy.getprevious() is not None or copy.getnext() is not None) and not more:
        _check_digest(reference, octets(copy.getroottree(), first))
        return
    raise Rejected("signature.digest", uri=reference.uri)


def _check_digest(reference: Reference, content: bytes) -> None:
    if not _matches(reference, content):
        raise Rejected("signature.digest", uri=reference.uri)


def _matches(reference: Reference, content: bytes) -> bool:
    return hashlib.new(DIGESTS[reference.digest_method][0], content).digest() == reference.digest


def _path(element: _Element) -> str:
    """An XPath 1.0 expression without prefixes that finds exactly this element."""
    steps: list[str] = []
    for node in (element, *element.iterancestors()):
        name = etree.QName(node)
        step = f"*[local-name()='{name.localname}' and namespace-uri()={_literal(name.namespace)}]" if name.namespace else name.localname
        parent = node.getparent()
        same = [] if parent is None else [other for other in parent if other.tag == node.tag]
        steps.append(f"{step}[{same.index(node) + 1}]" if len(same) > 1 else step)
    return "/" + "/".join(reversed(steps))


def _literal(text: str) -> str:
    """A string in XPath 1.0, which has no escapes."""
    if "'" not in text:
        return f"'{text}'"
    return "concat('" + "', \"'\", '".join(text.split("'")) + "')"
