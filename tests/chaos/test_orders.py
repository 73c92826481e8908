"""Promise P5: all orders of six events and random ones of fifty end alike; 1,000: `python -m tests.chaos.orders`."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.chaos import orders

RANDOM_ORDERS = 40


@pytest.mark.parametrize("first", range(6))
def test_every_order_of_six_events(first: int) -> None:
    history = orders.short()
    assert len(history.events) == 6
    expected = orders.outcome(history, history.events)
    assert expected[1] == []
    start, *others = (*history.events[first:], *history.events[:first])
    for order in permutations(others):
        assert orders.outcome(history, (start, *order)) == expected


def test_random_orders_of_fifty_events() -> None:
    history = orders.long()
    assert len(history.events) == 50
    expected = orders.outcome(history, history.events)
    assert expected[1] == []
    for number in range(RANDOM_ORDERS):
        assert orders.outcome(history, orders.random_order(history, number)) == expected, f"order {number}"
