"""The bare ASGI application of the floor: takes the body, answers with a reply as long as the gateway's, does nothing else.

python -m bench.bare_http PORT
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

REPLY = b"<r><sysRef>00000000-0000-0000-0000-000000000000</sysRef>" + b" " * 900 + b"</r>"
_HEADERS = [(b"content-type", b"text/xml; charset=utf-8"), (b"content-length", b"%d" % len(REPLY))]

Scope = MutableMapping[str, Any]


async def application(scope: Scope, receive: Callable[[], Awaitable[Scope]], send: Callable[[Scope], Awaitable[None]]) -> None:
    while (await receive()).get("more_body", False):
        continue
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": REPLY})


if __name__ == "__main__":
    config = uvicorn.Config(
        application, port=int(sys.argv[1]), http="httptools", loop="uvloop", lifespan="off", access_log=False, log_level="error"
    )
    uvicorn.Server(config).run()
