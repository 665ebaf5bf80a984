"""What reaches the log: one JSON object an event, whoever wrote it, and never a body or a secret."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from gateway.database import Database
from gateway.storage.tables import history
from tests.walk import AT

LIBRARY = """
import logging
from gateway.observability import logs
logs.configure()
try:
    raise ValueError("broken")
except ValueError:
    logging.getLogger("uvicorn.error").exception("Exception in %s", "application")
logging.getLogger("httpx").info("GET http://host/?secret=1")
"""


def test_the_error_of_a_statement_does_not_quote_its_values(database: Database) -> None:
    with pytest.raises(IntegrityError) as broken, database.writing() as connection:
        connection.execute(insert(history).values(message=4711, at=AT, event="deliver", outcome="ok", detail="the trader's own words"))
    assert "own words" not in str(broken.value)


def test_what_libraries_log_is_an_event_a_line_too() -> None:
    said = subprocess.run([sys.executable, "-c", LIBRARY], capture_output=True, text=True, check=True).stderr
    (line,) = said.splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["logger"]) == ("library", "error", "uvicorn.error")
    assert event["text"] == "Exception in application"
    assert "ValueError: broken" in event["exception"]
