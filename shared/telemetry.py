"""Logging of the app: short lines, ids only, and a last net for what a library or an exception text might carry.

`configure` puts the net where records are made, so it holds for every logger and for handlers nobody has thought of
yet, the worker's and a telemetry exporter's included. Of an exception the class and the places are kept; its words only
where they are ours or about code, since a ValueError quotes what it stumbled on. Levels of the chatty SDKs are set here
and in host.json; the forms of secrets are in `shared.redaction`.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Collection, Iterator
from typing import Any

from shared.errors import SyncError
from shared.redaction import redact

_QUIET = ("azure", "msal", "urllib3", "uamqp")
_WORDS_ABOUT_CODE = (SyncError, TypeError, AttributeError, NameError, ImportError, RecursionError, MemoryError)
_LONGEST_CHAIN = 5
_SHORTEST_SECRET = 6
"""Shorter ones would tear holes into ordinary words."""


class Redaction(logging.Filter):
    """Masks a record's message and traceback in place. `secrets` are masked wherever they stand."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__()
        self.secrets = frozenset(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            record.msg, record.args = redact(record.getMessage(), self.secrets), ()
        except (TypeError, ValueError, KeyError):  # a library's wrong format; its arguments may be anything
            record.msg, record.args = (
                f"a log line that cannot be formatted: {redact(str(record.msg), self.secrets)}",
                (),
            )
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = redact(describe(record.exc_info[1]), self.secrets)
        record.exc_info = None  # a handler would print the words that were left out
        record.stack_info = redact(record.stack_info, self.secrets) if record.stack_info else None
        return True


class _CleanRecords:
    """Makes every log record of the process, masked."""

    def __init__(self, make: Callable[..., logging.LogRecord], redaction: Redaction) -> None:
        self.make, self._redaction = make, redaction

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self.make(*args, **kwargs)
        self._redaction.filter(record)
        return record


def describe(error: BaseException) -> str:
    """The traceback of an exception and its causes, without words that may quote data."""
    return "\nwhich led to:\n\n".join(
        "Traceback (most recent call last):\n" + "".join(traceback.format_tb(each.__traceback__)) + _named(each)
        for each in reversed(list(_chain(error)))
    )


def _named(error: BaseException) -> str:
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    return f"{kind}: {error}" if isinstance(error, _WORDS_ABOUT_CODE) else kind


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception, what it came from, and so on, as far as Python would show it."""
    for _ in range(_LONGEST_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def configure(secrets: Collection[str] = ()) -> None:
    """Levels, and the net under every logger; `secrets` are values that must never be logged. May be repeated."""
    logging.getLogger("cosell").setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    made_by = logging.getLogRecordFactory()
    make = made_by.make if isinstance(made_by, _CleanRecords) else made_by
    logging.setLogRecordFactory(_CleanRecords(make, Redaction(secrets)))
