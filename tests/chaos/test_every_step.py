"""Promise P2 on the scenarios of every test run; all of them: `python -m tests.chaos.every_step`."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos import every_step
from tests.chaos.every_step import FAULTS, MODES
from tests.chaos.scenarios import ALWAYS, Scenario


@pytest.mark.parametrize("scenario", ALWAYS, ids=lambda scenario: scenario.name)
def test_any_single_step_may_fail(scenario: Scenario, runs: Counter[str]) -> None:
    tally = every_step.every_step(scenario)
    runs["every step"] += tally.runs
    assert not tally.failures, "\n".join(tally.failures)


def test_these_are_two_thousand_runs_of_a_dozen_scenarios() -> None:
    calls = sum(every_step.calls(scenario) for scenario in ALWAYS)
    assert len(ALWAYS) >= 12
    assert calls * len(FAULTS) * len(MODES) >= 2000
