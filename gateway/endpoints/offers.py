"""Offers to go on in another protocol, declined.

Java's HttpClient (and Apache CXF on it) asks with every request over plain HTTP to go on in HTTP/2 (`Upgrade: h2c`). A server
that does not want to answers as if the offer were not there (RFC 9110, section 7.8). httptools takes everything after the
head for the other protocol, so the body of such a request would be lost; here the head is read a second time without the
offer, and then what follows it.
"""

from __future__ import annotations

from array import array
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class OfferDecliningParser(httptools.HttpRequestParser):
    """httptools' parser for `connection`, whose `declined` is the head to read instead of one with an offer."""

    def __init__(self, connection: OfferDecliningProtocol) -> None:
        super().__init__(connection)
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn sets it
        self._connection = connection

    def feed_data(self, data: bytes | bytearray | memoryview[int] | array[int]) -> None:
        feed, parser = httptools.HttpRequestParser.feed_data, self
        while True:  # a loop, because one piece of data may hold many requests
            try:
                feed(parser, data)
            except httptools.HttpParserUpgrade as offer:
                head, self._connection.declined = self._connection.declined, None
                if head is None:
                    raise
                # a new one: for the old one a last request (HTTP/1.0, `Connection: close`) is over, and it drops what follows
                parser = self._connection.parser = OfferDecliningParser(self._connection)
                feed(parser, head)
                data = memoryview(data)[offer.args[0] :]
            else:
                return


class OfferDecliningProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol without any other (no WebSocket either)."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.declined: bytes | None = None
        self.parser = OfferDecliningParser(self)

    def on_headers_complete(self) -> None:
        # CONNECT demands a tunnel instead of offering one, and is refused like any method that we do not have
        if not self.parser.should_upgrade() or self.parser.get_method() == b"CONNECT":
            super().on_headers_complete()
            return
        start = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        headers = [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.declined = b"\r\n".join([start, *headers, b"", b""])

    def on_message_complete(self) -> None:
        """Not of a head that is read again."""
        if self.declined is None:
            super().on_message_complete()
