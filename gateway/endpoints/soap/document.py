"""The document in an AcceptDocumentRequest: content, attachments, file names.

The outer request is read as leniently as the channel always did: targetSystems is not looked at (the content's root
decides), unknown elements are passed over, an unknown `mime` counts as `other`. The content itself is held to the letter.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from gateway.endpoints.soap.contract import CHANNEL
from gateway.endpoints.soap.envelope import CONTENT, Content, Element, qualified, unreadable
from gateway.errors import Rejected
from gateway.message import Attachment

_DOCUMENT = qualified(CHANNEL, "document")
_ATTACHMENTS = qualified(CHANNEL, "attachments")
_MAX_NAME = 150
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,148}[A-Za-z0-9_]")  # nearly all; nothing to clean
_MARKUP_STARTS = (b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Document:
    """What was handed in, decoded."""

    content: bytes
    filename: str | None
    attachments: tuple[Attachment, ...]


def read_document(request: Element, max_attachments: int) -> Document:
    """The document of an AcceptDocumentRequest.

    Raises Rejected(receive.request | no_content | base64 | too_large | too_many_attachments | mime).
    """
    document = _at_most_one(request, _DOCUMENT)
    content = _at_most_one(document, CONTENT) if document is not None else None
    if document is None or not isinstance(content, Content):
        raise Rejected("receive.no_content")
    if content.attributes.get("mime") == "application/pdf":  # the document itself is always XML; attachments may be PDF
        raise Rejected("receive.mime", mime="application/pdf")
    attachments = _attachments(document, max_attachments)
    data = content.decoded()
    filename = safe_filename(content.attributes.get("filename"))
    return Document(data, filename, attachments)


def _attachments(document: Element, limit: int) -> tuple[Attachment, ...]:
    holder = _at_most_one(document, _ATTACHMENTS)
    contents = holder.all(CONTENT) if holder is not None else []
    if len(contents) > limit:
        raise Rejected("receive.too_many_attachments", count=len(contents), limit=limit)
    return tuple(_attachment(content) for content in contents if isinstance(content, Content))


def _attachment(content: Content) -> Attachment:
    data = content.decoded()
    mime = content.attributes.get("mime", "")
    if mime not in ("application/pdf", "application/xml"):
        mime = "other"
    is_pdf = b"%PDF-" in data[:1024]
    is_markup = data.lstrip(b" \t\r\n").startswith(_MARKUP_STARTS)
    if (mime == "application/pdf" and not is_pdf) or (mime == "application/xml" and not is_markup):
        raise Rejected("receive.mime", mime=mime)
    return Attachment(safe_filename(content.attributes.get("filename")), mime, data)


def _at_most_one(parent: Element, name: str) -> Element | None:
    found = parent.all(name)
    if len(found) > 1:
        name = found[0].local
        raise unreadable(f"element {name} stands {len(found)} times", f"element {name} występuje {len(found)} razy")
    return found[0] if found else None


def safe_filename(name: str | None) -> str | None:
    """The last part of `name` without control, format or reserved characters, at most 150 long; None if nothing is left."""
    if not name:
        return None
    if _PLAIN_NAME.fullmatch(name):
        return name
    base = re.split(r"[/\\]", name)[-1]
    kept = "".join(char for char in base if unicodedata.category(char)[0] != "C")
    clean = re.sub(r'[<>:"|?*]', "_", kept).strip(" .")
    if len(clean) > _MAX_NAME:
        stem, dot, extension = clean.rpartition(".")
        clean = f"{stem[: _MAX_NAME - 11]}.{extension}" if dot and len(extension) <= 10 else clean[:_MAX_NAME]
    return clean or None
