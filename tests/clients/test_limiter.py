"""The limiter by a clock that only sleeping moves."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.limiter import BULK_PATIENCE_S, PATIENCE_S, Limiter
from shared.errors import Throttled


class Time:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def limiter(time: Time, calls_per_minute: int = 60, concurrency: int = 2) -> Limiter:
    return Limiter("host", calls_per_minute=calls_per_minute, concurrency=concurrency, now=time, sleep=time.sleep)


def test_calls_are_free_at_first_and_then_evenly_spread() -> None:
    time = Time()
    host = limiter(time)
    for _ in range(15):
        with host.slot():
            pass
    assert time.slept == []
    with host.slot():
        pass
    assert sum(time.slept) == pytest.approx(60 / 45)


@given(calls_per_minute=st.integers(2, 300), gaps=st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_never_more_than_allowed_in_any_minute(calls_per_minute: int, gaps: list[float]) -> None:
    time = Time()
    host = limiter(time, calls_per_minute)
    started: list[float] = []
    for gap in gaps * 3:
        time.now += gap
        try:
            with host.slot():
                started.append(time.now)
        except Throttled:
            continue
    for index, first in enumerate(started):
        assert sum(1 for at in started[index:] if at < first + 60 - 1e-6) <= calls_per_minute


def test_a_request_may_count_as_many_calls() -> None:
    time = Time()
    host = limiter(time)
    with host.slot(10):
        pass
    assert time.slept == []
    with host.slot(10, BULK_PATIENCE_S):
        pass
    assert sum(time.slept) == pytest.approx(5 * 60 / 45)
    with host.slot(1_000, BULK_PATIENCE_S):  # more than may ever come at once: all that may
        pass


def test_who_has_time_waits_longer() -> None:
    time = Time()
    host = limiter(time)
    host.pause(60)
    with pytest.raises(Throttled), host.slot():
        pass
    with host.slot(patience_s=BULK_PATIENCE_S):
        pass
    assert sum(time.slept) == pytest.approx(60)
    host.pause(BULK_PATIENCE_S + 1)
    with pytest.raises(Throttled), host.slot(patience_s=BULK_PATIENCE_S):
        pass


def test_a_long_wait_is_not_slept_but_told() -> None:
    time = Time()
    host = limiter(time)
    host.pause(30)
    with pytest.raises(Throttled) as caught, host.slot():
        raise AssertionError("no call may start")
    assert caught.value.retry_after_s == pytest.approx(30)
    assert time.slept == []
    time.now += 29
    with host.slot():
        assert time.slept == [pytest.approx(1)]


def test_patience_is_for_the_whole_wait() -> None:
    time = Time()
    host = limiter(time)
    host.pause(PATIENCE_S - 0.5)
    original = time.sleep

    def sleep_and_be_paused_again(seconds: float) -> None:
        original(seconds)
        host.pause(1.0)

    host = Limiter("host", calls_per_minute=60, concurrency=1, now=time, sleep=sleep_and_be_paused_again)
    host.pause(PATIENCE_S - 0.5)
    with pytest.raises(Throttled), host.slot():
        raise AssertionError("no call may start")


def test_turns_are_handed_out_in_order_and_nobody_loses_one() -> None:
    """Four callers at once without a token left: each waits for its own, and none is sent away."""
    time, waits = Time(), []
    host = Limiter("host", calls_per_minute=80, concurrency=4, now=time, sleep=waits.append)  # nobody's time passes
    for _ in range(20):
        with host.slot():
            pass
    for _ in range(4):
        with host.slot():
            pass
    assert waits == [pytest.approx(1), pytest.approx(2), pytest.approx(3), pytest.approx(4)]


def test_a_turn_that_is_too_far_away_is_refused_and_takes_nothing() -> None:
    time = Time()
    host = Limiter("host", calls_per_minute=4, concurrency=4, now=time, sleep=time.sleep)
    with host.slot():
        pass
    for _ in range(3):
        with pytest.raises(Throttled) as caught, host.slot():
            raise AssertionError("no call may start")
        assert caught.value.retry_after_s == pytest.approx(20)
    time.now += 20
    with host.slot():
        assert time.slept == []


def test_a_pause_while_waiting_for_a_turn_counts() -> None:
    time = Time()

    def sleep_and_be_paused(seconds: float) -> None:
        time.sleep(seconds)
        host.pause(60)

    host = Limiter("host", calls_per_minute=60, concurrency=1, now=time, sleep=sleep_and_be_paused)
    for _ in range(15):
        with host.slot():
            pass
    with pytest.raises(Throttled), host.slot():
        raise AssertionError("no call may start")


def test_a_shorter_pause_does_not_shorten_a_longer_one() -> None:
    time = Time()
    host = limiter(time)
    host.pause(100)
    host.pause(1)
    with pytest.raises(Throttled) as caught, host.slot():
        raise AssertionError("no call may start")
    assert caught.value.retry_after_s == pytest.approx(100)


def test_without_a_number_pauses_grow_until_an_answer() -> None:
    host = limiter(Time())
    assert [host.pause(None) for _ in range(8)] == [5, 10, 20, 40, 80, 160, 300, 300]
    host.answered()
    assert host.pause(None) == 5


def test_a_failed_call_gives_its_slot_back() -> None:
    host = limiter(Time(), concurrency=1)
    for _ in range(3):
        with pytest.raises(ValueError, match="x"), host.slot():
            raise ValueError("x")
    with host.slot():
        pass


def test_who_waits_for_a_slot_gets_it() -> None:
    host = Limiter("host", calls_per_minute=1000, concurrency=1)
    entered, done = threading.Event(), threading.Event()

    def second() -> None:
        entered.wait(5)
        with host.slot():
            done.set()

    thread = threading.Thread(target=second)
    thread.start()
    with host.slot():
        entered.set()
        assert not done.wait(0.05)
    assert done.wait(5)
    thread.join(5)
