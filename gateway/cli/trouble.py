"""Errors of a command as one plain sentence on standard error, exit code 2: it could not do its work."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

import click
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from gateway.database import StoreBusy
from gateway.errors import GatewayError


class Trouble(Exception):
    """The command cannot do its work; the sentence says what to change."""


P = ParamSpec("P")
T = TypeVar("T")


def plainly(command: Callable[P, T]) -> Callable[P, T]:
    """Tell what is wrong and what to change instead of a traceback; what nobody foresaw still gets its traceback."""

    @functools.wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except GatewayError as error:
            _end(error.text("en"))
        except ValidationError as error:
            _end("; ".join(settings_problems(error)))
        except Trouble as trouble:
            _end(str(trouble))
        except StoreBusy:
            _end("the database is busy; try again")
        except SQLAlchemyError as error:
            _end(f"the database cannot be used ({error.__class__.__name__}: {str(error).splitlines()[0]}); see `brama doctor`")

    return told


def settings_problems(error: ValidationError) -> list[str]:
    """Each wrong setting by the name of its variable."""
    return [f"BRAMA_{'__'.join(map(str, problem['loc'])).upper()}: {problem['msg']}" for problem in error.errors()]


def _end(sentence: str) -> NoReturn:
    click.secho(f"brama: {sentence}", fg="red", err=True)
    sys.exit(2)
