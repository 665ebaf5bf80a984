"""The two Python stacks: zeep, and suds as older software uses it (suds has no addressing: its user writes the headers)."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from datetime import date
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any
from uuid import uuid4

import suds
import suds.client
import suds.sax.element
import suds.wsse
import zeep
import zeep.exceptions
from zeep.wsa import WsAddressingPlugin
from zeep.wsse.username import UsernameToken

from gateway.endpoints.soap.contract import CHANNEL
from tests.interop.stack import Account, Found, Taken, Told

WSA = "http://www.w3.org/2005/08/addressing"


def _dated(criteria: dict[str, str]) -> dict[str, Any]:
    """Days as both stacks want them."""
    return {name: date.fromisoformat(value) if name.startswith("data") else value for name, value in criteria.items()}


class Zeep:
    """UsernameToken and WsAddressingPlugin, nothing of our own."""

    @cache  # noqa: B019  # as long as the session
    def _client(self, account: Account) -> zeep.Client:
        token = UsernameToken(account.login, account.secret, use_digest=True)
        plugins = [WsAddressingPlugin()] if account.addressing else []
        return zeep.Client(account.wsdl, wsse=token, plugins=plugins, settings=zeep.Settings(strict=True))

    def _call(self, account: Account, operation: str, *arguments: Any, **named: Any) -> Any:
        try:
            return self._client(account).service[operation](*arguments, **named)
        except zeep.exceptions.Fault as fault:
            raise self._told(account, fault) from fault

    def _told(self, account: Account, fault: zeep.exceptions.Fault) -> Told:
        """zeep hands out the detail as XML; the types of the WSDL read it."""
        if fault.detail is None or not len(fault.detail):
            return Told(fault.message)
        element = self._client(account).get_element(fault.detail[0].tag)
        error = element.parse(fault.detail[0], self._client(account).wsdl.types).error
        return Told(fault.message, element.name, error.errorCode, error.errorDesc, typed=True)

    def submit(self, account: Account, document: Path) -> str:
        content = {"_value_1": document.read_bytes(), "filename": document.name, "mime": "application/xml"}
        given = {"content": content, "targetSystems": {"system": ["NCTS2"]}}
        return str(self._call(account, "AcceptDocument", document=given))

    def next(self, account: Account) -> Taken | None:
        untyped = (zeep.xsd.AnyObject(zeep.xsd.String(), ""),) if "2014" in account.wsdl else ()
        answer = self._call(account, "GetNextDocument", *untyped)
        return self._taken(answer.document, answer.hasNext) if answer is not None and answer.document is not None else None

    def next_sisc(self, account: Account, **grades: str) -> Taken | None:
        answer = self._call(account, "GetNextDocumentSisc", **grades)
        return self._taken(answer.document, answer.hasNext) if answer is not None and answer.document is not None else None

    def documents(self, account: Account, **criteria: str) -> Found:
        answer = self._call(account, "GetDocuments", **_dated(criteria))
        return Found(answer.documentsCount, tuple(map(self._taken, answer.document)), answer.documentsInfo)

    @staticmethod
    def _taken(document: Any, has_next: bool | None = None) -> Taken:
        return Taken(document.content.filename, document.content._value_1, tuple(document.targetSystems.system), has_next)


class Suds:
    """Token and addressing headers put together by hand, as suds asks for."""

    @cache  # noqa: B019  # as long as the session
    def _client(self, wsdl: str) -> suds.client.Client:
        return suds.client.Client(wsdl, cache=None)

    def _call(self, account: Account, operation: str, *arguments: Any, **named: Any) -> Any:
        client = self._client(account.wsdl)
        client.set_options(wsse=self._token(account), soapheaders=self._addressing(account, operation))
        try:
            return getattr(client.service, operation)(*arguments, **named)
        except suds.WebFault as fault:
            raise self._told(fault.fault) from fault

    @staticmethod
    def _told(fault: Any) -> Told:
        for name in ("techErrorFault", "businessErrorFault"):
            if (found := getattr(getattr(fault, "detail", None), name, None)) is not None:
                return Told(str(fault.faultstring), name, str(found.error.errorCode), str(found.error.errorDesc))
        return Told(str(fault.faultstring))

    @staticmethod
    def _token(account: Account) -> suds.wsse.Security:
        token, security, nonce = suds.wsse.UsernameToken(account.login, account.secret), suds.wsse.Security(), os.urandom(16)
        token.setcreated()
        token.setnonce(b64encode(nonce).decode())
        token.setnonceencoding(True)
        created = str(suds.sax.date.DateTime(token.created))
        token.setpassworddigest(b64encode(sha1(nonce + created.encode() + account.secret.encode()).digest()).decode())
        security.mustUnderstand = False
        security.tokens.append(token)
        return security

    @staticmethod
    def _addressing(account: Account, operation: str) -> list[suds.sax.element.Element]:
        values = {"Action": operation, "MessageID": f"urn:uuid:{uuid4()}", "To": account.wsdl.partition("?")[0]}
        headers = [suds.sax.element.Element(name, ns=("wsa", WSA)).setText(text) for name, text in values.items()]
        return headers if account.addressing else []

    def submit(self, account: Account, document: Path) -> str:
        client = self._client(account.wsdl)
        content = client.factory.create(f"{{{CHANNEL}}}contentType")
        content.value = b64encode(document.read_bytes()).decode()
        content._filename, content._mime = document.name, "application/xml"
        given = client.factory.create(f"{{{CHANNEL}}}documentType")
        given.content, given.targetSystems.system = content, ["NCTS2"]
        return str(self._call(account, "AcceptDocument", given).sysRef)

    def next(self, account: Account) -> Taken | None:
        return self._next(account, "GetNextDocument")

    def next_sisc(self, account: Account, **grades: str) -> Taken | None:
        return self._next(account, "GetNextDocumentSisc", **grades)

    def _next(self, account: Account, operation: str, **grades: str) -> Taken | None:
        document = getattr(self._call(account, operation, **grades), "document", None)
        return self._taken(document) if document is not None else None

    def documents(self, account: Account, **criteria: str) -> Found:
        answer = self._call(account, "GetDocuments", **_dated(criteria))
        info = getattr(answer, "documentsInfo", None)
        return Found(int(answer.documentsCount), tuple(map(self._taken, getattr(answer, "document", ()))), info and str(info))

    @staticmethod
    def _taken(document: Any) -> Taken:
        content = document.content
        systems = tuple(str(system) for system in document.targetSystems.system)
        return Taken(str(content._filename), b64decode(content.value), systems)
