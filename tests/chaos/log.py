"""What the connector logs during a run, through the product's own redaction; canaries in it are violations (I7)."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, Self

from shared.telemetry import Redaction
from tests.chaos import canaries
from tests.chaos.journal import Journal

_KEPT = 400
_UNREAD = ("_srcfile", "logThreads", "logMultiprocessing", "logProcesses", "logAsyncioTasks")
"""What `logging` finds out for every line, half of its work, unless these say not to; nobody reads it here."""


class Log(logging.Handler):
    """Active inside a `with` block; keeps the last lines for whoever reads a failing seed."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.INFO)
        self._journal = journal
        self._logger = logging.getLogger("cosell")
        self._level = self._logger.level
        self._inside = 0
        self._unread: dict[str, Any] = {}
        self._redaction = Redaction()
        self.lines: deque[str] = deque(maxlen=_KEPT)
        self.count = 0
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock of a handler: there is one thread."""
        self.emit(record)
        return True

    def format(self, record: logging.LogRecord) -> str:
        """As the formatter does, which looks for more than stands in these lines."""
        if record.exc_info or record.exc_text:
            return super().format(record)
        return f"{record.name} {record.levelname} {record.getMessage()}"

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1
        if record.exc_info:  # its words are what the redaction is there for; writing a traceback twice takes longer
            self._redaction.filter(record)
        line = self.format(record)
        if canaries.found(line):  # masking takes longer than the rest of a line; it cannot put a canary in
            self._redaction.filter(record)
            line = self.format(record)
            canary = canaries.found(line)
            if canary:
                self._journal.violation("I7", f"the log shows {canary}: {line[:120]}")
        self.lines.append(line)

    def __enter__(self) -> Self:
        self._inside += 1
        if self._inside == 1:
            self._unread = _switched(dict.fromkeys(_UNREAD))
            self._level = self._logger.level
            self._logger.setLevel(logging.INFO)
            self._logger.propagate = False
            self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._inside -= 1
        if not self._inside:
            self._logger.removeHandler(self)
            self._logger.propagate = True
            self._logger.setLevel(self._level)
            _switched(self._unread)


def _switched(switches: dict[str, Any]) -> dict[str, Any]:
    """Sets these switches of `logging`; how they stood before."""
    before = {name: getattr(logging, name) for name in switches}
    for name, value in switches.items():
        setattr(logging, name, value)
    return before
