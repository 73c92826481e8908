"""Promise P6 in small: for its rate as many changes as 400 for the real one; all: `python -m tests.chaos.outage`."""

from __future__ import annotations

import pytest

from tests.chaos import outage

CALLS_PER_MINUTE, CHANGES = 24, 120


@pytest.mark.parametrize("hours", [1, 12])
def test_what_queued_up_is_brought_over_within_the_rate(hours: float) -> None:
    outcome = outage.run(CHANGES, hours, CALLS_PER_MINUTE)
    assert outage.kept(outcome, CALLS_PER_MINUTE), outcome
    assert outcome.calls_while_down > CHANGES, "it was tried meanwhile"
    waited = outcome.told[1]
    assert waited == CHANGES if hours > 1 else 0 < waited < CHANGES, "who was brought over sooner was told nothing"
    assert outcome.most_calls > 0.7 * CALLS_PER_MINUTE, "and the rate was used"
