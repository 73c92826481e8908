"""Promise P1 in the normal run: three seeds of ten thousand events, and that a run can be repeated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos import sabotage, simulation
from tests.chaos.faults import Rates


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=pytest.mark.xdist_group(f"chaos {seed}")) for seed in ("1", "2", "3")]
)
def test_a_seed_of_chaos_leaves_nothing_lost_doubled_or_looping(seed: str) -> None:
    result = simulation.run(seed)
    assert result.violations == ()
    assert result.events >= 10_000
    assert [kind for kind in Rates().kinds if not result.injected[kind]] == []


def test_the_same_seed_gives_the_same_run_and_its_steps_again_too() -> None:
    one, other = simulation.run("again", events=150), simulation.run("again", events=150)
    assert replace(one, log=()) == replace(other, log=())
    assert replace(simulation.run("again", steps=one.steps), log=()) == replace(one, log=())
    assert one.done != simulation.run("another", events=150).done


def test_what_was_told_is_enough_without_a_sweep() -> None:
    """The control of two sabotages: whatever goes wrong with an event that was not dropped, no sweep is needed."""
    assert sabotage.run(sabotage.NO_SWEEP, "1", events=600).violations == ()
