"""Says at the end of a run how many simulated runs stand behind a promise."""

from __future__ import annotations

from collections import Counter

import pytest

RUNS = pytest.StashKey[Counter[str]]()


@pytest.fixture
def runs(pytestconfig: pytest.Config) -> Counter[str]:
    """Runs by promise; what is counted here is shown in the summary."""
    return pytestconfig.stash.setdefault(RUNS, Counter())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for promise, count in config.stash.get(RUNS, Counter()).items():
        terminalreporter.write_line(f"{promise}: {count:,} runs")
