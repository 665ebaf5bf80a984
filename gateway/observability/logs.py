"""Logs: one JSON object (or, on a terminal, one line) an event, named by `event`. Never a message body, never a secret."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

#: Field names that never reach a log, whatever a caller passes.
FORBIDDEN = frozenset({"content", "body", "password", "secret", "digest_password", "nonce", "key"})


def _drop_forbidden(_logger: object, _method: str, event: Any) -> Any:
    for field in FORBIDDEN & event.keys():
        event[field] = "(withheld)"
    return event


def configure(level: str = "info", as_json: bool = False) -> None:
    """Log to standard error; `as_json` also on a terminal. Call once, from the command."""
    people = sys.stderr.isatty() and not as_json
    # plain tracebacks: the richer ones print local variables, which hold passwords and bodies
    renderer = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if people
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            _drop_forbidden,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if people else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(threshold, logging.WARNING), handlers=[_Libraries()], force=True)


class _Libraries(logging.Handler):
    """What libraries log by the standard module becomes an event `library`."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger("brama.library").log(
            record.levelno, "library", logger=record.name, text=record.getMessage(), exc_info=record.exc_info
        )
