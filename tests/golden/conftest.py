"""`pytest tests/golden --update` rewrites the expected results that differ, for review; such a run still fails."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite out.json where it differs")
