"""Settings: `BRAMA_*` variables, then `brama.toml` in BRAMA_HOME, then these defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class Settings(BaseSettings):
    """Everything an operator may set. Sizes are bytes, times seconds."""

    model_config = SettingsConfigDict(env_prefix="BRAMA_", env_nested_delimiter="__", extra="forbid", frozen=True)

    home: Path = Field(default=Path("var"), description="data folder")
    database_url: str = Field(default="", description="SQLAlchemy URL; empty: SQLite in the data folder")
    broker_url: str = Field(default="", description="empty: the queue in the database")
    listen: str = Field(default="127.0.0.1:8080", description="address and port of the doors")
    public_url: str = Field(default="", description="the address traders use, for the WSDL; empty: http:// + listen")
    max_content: int = Field(default=15 * 1024 * 1024, description="largest decoded document")
    max_body: int = Field(default=42 * 1024 * 1024, description="largest HTTP body")
    head_seconds: float = Field(default=15, gt=0, description="a sender's time for the headers of a request and the first byte of its body")
    body_seconds: float = Field(default=60, gt=0, description="a sender's time for his whole request body")
    max_attachments: int = Field(default=1, description="attachments a call may carry")
    token_window: float = Field(default=300, description="how far Created may be from now")
    max_waiting: int = Field(default=256, description="calls in work at once in one process before the door says busy")
    max_connections: int = Field(default=800, ge=1, description="open connections in one process; the longest idle one makes room")
    operation_seconds: float = (
        Field(  # less than GRACE in gateway.channels.lapses: a UPD in time must be stored before the period is closed
            default=180, gt=0, le=240, description="how long one operation may take, and a client to take its answer"
        )
    )
    token_failures: int = Field(default=10, ge=1, description="wrong tokens of one login from one address in `failure_window`")
    failure_window: float = Field(default=300, gt=0, description="how long a wrong token is held against its sender")
    calls_per_second: float = Field(default=1000, gt=0, description="calls of one account in one process; bursts of two seconds' worth")
    calls_at_once: int = Field(default=128, ge=1, description="calls of one account in work at once in one process")
    trusted_proxies: str = Field(
        default="", description="addresses or networks, separated by commas, whose `X-Forwarded-For` is believed; empty: nobody's"
    )
    systems: dict[str, str] = Field(
        default={}, description="addresses and secret files of customs systems, by the names their profiles use"
    )
    profiles: Path | None = Field(default=None, description="folder of profiles that add to or replace the built-in ones")
    issuer: str = Field(default="Brama", description="the gateway's name in receipts")
    metrics_for: Literal["loopback", "everyone"] = Field(default="loopback", description="who may read /metrics")
    serving_days: int = Field(
        default=14, ge=1, le=366, description="days in which an addressee must sign for a held document; then it is deemed served"
    )
    serving_notices: tuple[int, ...] = Field(default=(7, 12), description="days after which he is reminded")
    claim_seconds: float = Field(default=180, description="how long a polled document or a claimed delivery is held")
    push_allow: str = Field(default="", description="networks that push endpoints may be in although they are not public, by commas")
    push_seconds: float = Field(default=30, gt=0, description="for one call to a push endpoint, from looking its name up to its answer")
    push_at_once: int = Field(default=1, ge=1, description="calls in work at once to one push endpoint; 1 keeps the documents in order")
    push_delays: str = Field(default="5 15 60 300 900 3600", description="between attempts at a push endpoint; the last one repeats")
    push_deadline: float = Field(default=259_200, description="after which a document is no more pushed and only waits in the mailbox")
    push_block_after: int = Field(default=20, ge=1, description="failures in a row after which a push endpoint is blocked")

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        path = url.removeprefix("sqlite:///")
        if url and path == url:
            raise ValueError("only sqlite:///PATH is supported by this version")
        if url and (not path or path.startswith((":memory:", "file:")) or "?" in path):
            raise ValueError("write sqlite:///PATH of a file: what is accepted into a database in memory would be lost")
        return url

    @field_validator("broker_url")
    @classmethod
    def _known_broker(cls, url: str) -> str:
        if url:
            raise ValueError("leave it empty: this version queues in the database only")
        return url

    @field_validator("push_delays")
    @classmethod
    def _seconds(cls, text: str) -> str:
        if not (delays := text.split()) or any(float(delay) <= 0 for delay in delays):
            raise ValueError("write seconds separated by spaces, such as 5 60 3600")
        return text

    @field_validator("listen")
    @classmethod
    def _address_and_port(cls, listen: str) -> str:
        host, colon, port = listen.rpartition(":")
        if not (host and colon and port.isdecimal() and int(port) < 65536):
            raise ValueError("write ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080")
        return listen

    @field_validator("trusted_proxies", "push_allow")
    @classmethod
    def _networks(cls, networks: str) -> str:
        for entry in filter(None, map(str.strip, networks.split(","))):
            try:
                ip_network(entry)
            except ValueError:
                raise ValueError(f"'{entry}' is neither an IP address nor a network such as 10.0.0.0/8") from None
        return networks

    @model_validator(mode="after")
    def _notices_in_the_period(self) -> Settings:
        days = self.serving_notices
        if list(days) != sorted(set(days)) or any(not 0 < day < self.serving_days for day in days):
            raise ValueError(f"serving_notices: write rising days between 1 and serving_days ({self.serving_days}), such as [7, 12]")
        return self

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.home.absolute() / 'brama.db'}"

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def url(self) -> str:
        return (self.public_url or f"http://{self.listen}").rstrip("/")

    @property
    def keys(self) -> Path:
        """The folder of the seal, the trust anchors (`trust/`) and the key that encrypts secrets in the database."""
        return self.home / "keys"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        home = Path(os.environ.get("BRAMA_HOME", "var"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, home / "brama.toml")


#: Variables of Brama that are no settings: they are read where they are needed and never shown.
_OTHERS = frozenset({"BRAMA_SEAL_PASSPHRASE", "BRAMA_SEAL_PASSPHRASE_FILE", "BRAMA_TEST_REQUIRE", "BRAMA_CORPORA", "BRAMA_GOLDEN"})


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Names that start with BRAMA_ and that nothing reads: most likely misspelt."""
    known = {f"BRAMA_{name.upper()}" for name in Settings.model_fields} | _OTHERS
    names = (name for name in environment if name.startswith("BRAMA_") and not name.startswith("BRAMA_PROPERTY_"))
    return sorted(name for name in names if name.upper() not in known and not name.upper().startswith("BRAMA_SYSTEMS__"))
