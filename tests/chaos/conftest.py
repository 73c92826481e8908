"""Says at the end of a run how many simulated runs stand behind a promise, and keeps thousands of worlds cheap."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator

import pytest

RUNS = pytest.StashKey[Counter[str]]()


@pytest.fixture(autouse=True, scope="module")
def _what_lasts_is_not_searched_for_garbage() -> Iterator[None]:
    """A world is full of cycles; collecting it must not mean looking through everything that was ever imported.

    Nor through what is still at work, again and again: most of it is gone a moment later by itself.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20 * before[0], *before[1:])
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.fixture
def runs(pytestconfig: pytest.Config) -> Counter[str]:
    """Runs by promise; what is counted here is shown in the summary."""
    return pytestconfig.stash.setdefault(RUNS, Counter())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for promise, count in config.stash.get(RUNS, Counter()).items():
        terminalreporter.write_line(f"{promise}: {count:,} runs")
