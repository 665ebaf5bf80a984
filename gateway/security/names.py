"""Name constraints (RFC 5280, section 4.2.1.10): which names an authority may certify."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography import x509
from cryptography.x509.oid import NameOID


def breach(constraints: x509.NameConstraints, certificate: x509.Certificate) -> str | None:
    """The first name of `certificate` that the constraints do not allow, None when all are fine.

    Kinds of names whose constraints are not judged here (addresses, URIs, others) are not allowed at all once constrained.
    """
    for name in _names(certificate):
        excluded = [tree for tree in constraints.excluded_subtrees or () if type(tree) is type(name)]
        permitted = [tree for tree in constraints.permitted_subtrees or () if type(tree) is type(name)]
        judged = isinstance(name, x509.DirectoryName | x509.DNSName | x509.RFC822Name)
        if (excluded or permitted) and not judged:
            return f"{type(name).__name__} under constraints that are not understood"
        if any(_within(name, tree) for tree in excluded) or (permitted and not any(_within(name, tree) for tree in permitted)):
            return str(name.value.rfc4514_string() if isinstance(name.value, x509.Name) else name.value)
    return None


def _names(certificate: x509.Certificate) -> Iterator[x509.GeneralName]:
    """The subject, the mail addresses in it, and the alternative names."""
    if certificate.subject.rdns:
        yield x509.DirectoryName(certificate.subject)
    for attribute in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
        yield x509.RFC822Name(str(attribute.value))
    try:
        yield from certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return


def _within(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    if isinstance(name, x509.DirectoryName) and isinstance(tree, x509.DirectoryName):
        wanted = list(tree.value.rdns)
        return list(name.value.rdns)[: len(wanted)] == wanted
    value, constraint = str(name.value).lower(), str(tree.value).lower()
    if isinstance(name, x509.RFC822Name):
        if "@" in constraint:
            return value == constraint
        host = value.rpartition("@")[2]
        return host.endswith(constraint) if constraint.startswith(".") else host == constraint
    constraint = constraint.removeprefix(".")
    return not constraint or value == constraint or value.endswith("." + constraint)
