"""identify: Parsed -> Identified. Root name and namespace decide, with the date of receipt; what the caller says does not."""

from __future__ import annotations

from gateway.message import Identified, Parsed
from gateway.ports import Profiles, Schemas


def identify(parsed: Parsed, schemas: Schemas, profiles: Profiles) -> Identified:
    """Pin the document type, its edition and its profile. Raises Rejected(identify.*)."""
    document_type = schemas.identify(str(parsed.root.tag), parsed.received.received_at)
    return Identified(parsed, document_type, profiles.document(document_type))
