"""identify: Parsed -> Identified. Root name and namespace decide, with the date of receipt; what the caller says does not."""

from __future__ import annotations

from gateway.errors import Rejected
from gateway.message import Identified, Parsed
from gateway.ports import Profiles, Schemas


def identify(parsed: Parsed, schemas: Schemas, profiles: Profiles) -> Identified:
    """Pin the document type, its edition and its profile. Raises Rejected(identify.*)."""
    document_type = schemas.identify(str(parsed.root.tag), parsed.received.received_at)
    profile = profiles.document(document_type)
    if profile.confirms and next(parsed.root.iterchildren(), parsed.root).tag != profile.confirms:
        raise Rejected("identify.administration_only", root=document_type.name)  # a receipt of ours, but not the one to be signed
    return Identified(parsed, document_type, profile)
