"""The app's log as a handler sees it, for tests that look for canaries in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from shared.redaction import secrets_in
from shared.settings import load
from shared.telemetry import configure
from tests.security import canaries


@pytest.fixture
def log() -> Iterator[list[str]]:
    """What is logged with the app's net in place: by a handler on a child logger, added after `configure`."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{self.format(record)} {record.__dict__}")

    factory = logging.getLogRecordFactory()
    configure(secrets_in(load(canaries.ENVIRONMENT)))
    logger, handler = logging.getLogger("cosell.canary.child"), Keep(logging.DEBUG)
    everything = logging.getLogger()
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    everything.addHandler(handler)
    yield lines
    logging.setLogRecordFactory(factory)
    everything.removeHandler(handler)
    logger.removeHandler(handler)
    logger.propagate = True
