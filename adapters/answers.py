"""What a system sends us: which answer it is by its profile, and the keys inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from lxml.etree import QName, _Element

from gateway.errors import Failed, GatewayError
from gateway.message import Answer, BusinessKeys
from gateway.ports import Parser
from gateway.profile import SystemProfile

_KEYS = tuple(field.name for field in fields(BusinessKeys))
_LONGEST_KEY = 100  # the longest key of any family has 44 characters


def read_answer(profile: SystemProfile, parser: Parser, content: bytes) -> Answer:
    """The answer in these bytes. Raises Failed(reply.garbage) for what cannot be read, is no answer of this system,
    or names a key twice (then nobody could say whose it is)."""
    try:
        root = parser.parse(content)
    except GatewayError as error:
        raise Failed("reply.garbage", system=profile.system, detail=error.text("en")) from error
    document = profile.answers.get(root.tag)
    if document is None:
        name = QName(root)
        raise Failed("reply.garbage", system=profile.system, detail=f"{name.localname[:60]} is no answer in its profile")
    try:
        keys = read_keys(root, document.paths)
    except ValueError as error:
        raise Failed("reply.garbage", system=profile.system, detail=str(error)) from error
    return Answer(profile.system, QName(root).localname, content, keys, document.state, document.final, document.served)


def read_keys(root: _Element, paths: Mapping[str, str]) -> BusinessKeys:
    """The keys at these paths below the root; absent ones are None. Raises ValueError for a key that occurs twice, has
    elements inside or is longer than 100 characters."""
    found: dict[str, str | None] = dict.fromkeys(_KEYS)
    for key, path in paths.items():
        elements = root.findall(path)
        if len(elements) > 1:
            raise ValueError(f"{path} occurs {len(elements)} times, once is allowed")
        if elements and len(elements[0]):
            raise ValueError(f"{path} has elements inside, a text is expected")
        value = (elements[0].text or "").strip() if elements else ""
        if len(value) > _LONGEST_KEY:
            raise ValueError(f"{path} has {len(value)} characters, {_LONGEST_KEY} are allowed")
        found[key] = value or None
    return BusinessKeys(**found)
