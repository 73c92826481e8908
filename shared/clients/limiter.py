"""One limiter per vendor host: calls per minute, calls at once, and a pause for everybody after a 429.

Every call to a host goes through `slot()`. For the rate it waits in place until its turn, which is a few seconds away
as few calls are made at once: so a backlog stays in its queue and is worked off as fast as the rate allows. What the
vendor asks for may take long: then `Throttled` carries the remaining seconds to the retry ladder; only bulk reads,
which no ladder stands behind, wait for that too. Never more than
`calls_per_minute` calls (two at least) start within any 60 seconds. Obeying `Retry-After` works across instances too,
as the vendor tells each of them. Used by `shared.clients.http`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from shared.errors import Throttled

PATIENCE_S = 2.0
"""Longest sleep after a 429."""
BULK_PATIENCE_S = 90.0
"""The same of reads in bulk, whose caller has time."""
_TURN_S = 15.0
"""Longest sleep for the rate; four calls at once need more only below some 22 calls a minute."""
_QUEUE_S = 30.0
"""Longest wait for another call of ours to end: all functions that call one host, each call waiting for its turn."""
_ROUNDING = 1e-9
"""Waiting exactly long enough for a token must be enough, whatever the last bit of the sum says."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 300.0


class Limiter:
    """Shared by all clients of one host; thread-safe. `now` is a monotonic clock in seconds."""

    def __init__(
        self,
        host: str,
        *,
        calls_per_minute: int,
        concurrency: int,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._host = host
        self._now, self._sleep = now, sleep
        # A quarter of the minute's calls may come at once, the rest evenly: together never more than a minute's calls.
        self._capacity = max(1.0, calls_per_minute / 4)
        self._per_second = max(calls_per_minute - self._capacity, 1) / 60
        self._tokens, self._counted_at = self._capacity, now()
        self._seats: SimpleQueue[None] = SimpleQueue()
        """What a call takes and gives back; as many as may be made at once."""
        for _ in range(concurrency):
            self._seats.put(None)
        self._lock = threading.Lock()
        self._paused_until = 0.0
        self._strikes = 0

    @contextmanager
    def slot(self, calls: int = 1, patience_s: float = PATIENCE_S) -> Iterator[None]:
        """One request, which the host counts as `calls`. `Throttled` when it would wait longer than `patience_s`."""
        try:
            self._seats.get(timeout=_QUEUE_S)
        except Empty:
            raise self._throttled(_QUEUE_S, "BUSY") from None
        try:
            self._wait(min(calls, self._capacity), patience_s)
            yield
        finally:
            self._seats.put(None)

    def pause(self, seconds: float | None) -> float:
        """No call starts for `seconds`; None: the vendor named no time, so longer with every refusal in a row."""
        with self._lock:
            if seconds is None:
                seconds = min(_FIRST_PAUSE_S * 2**self._strikes, _LONGEST_PAUSE_S)
            self._strikes = min(self._strikes + 1, 10)
            self._paused_until = max(self._paused_until, self._now() + seconds)
            return seconds

    def answered(self) -> None:
        """The host took a call again."""
        with self._lock:
            self._strikes = 0

    def _wait(self, calls: float, patience_s: float) -> None:
        """Sleep through a short pause, then until the turn of this call, which no other call can take away."""
        slept, has_turn = 0.0, False
        while True:
            wait = self._pause_left()
            if wait > 0:
                if slept + wait > patience_s:
                    raise self._throttled(wait, "PAUSED")
                slept += wait
            elif has_turn:
                return
            else:
                wait, has_turn = self._take_turn(calls, max(patience_s, _TURN_S)), True
            if wait > 0:
                self._sleep(wait)

    def _pause_left(self) -> float:
        with self._lock:
            return self._paused_until - self._now()

    def _take_turn(self, calls: float, longest_s: float) -> float:
        """Take a token for each call, perhaps still to come: seconds until then. They are handed out in order."""
        with self._lock:
            now = self._now()
            self._tokens = min(self._capacity, self._tokens + (now - self._counted_at) * self._per_second)
            self._counted_at = now
            wait = max(0.0, calls - _ROUNDING - self._tokens) / self._per_second
            if wait > longest_s:
                raise self._throttled(wait, "BUSY")
            self._tokens -= calls
            return wait

    def _throttled(self, seconds: float, why: str) -> Throttled:
        return Throttled(
            f"HOST_{why}",
            f"Calls to {self._host} have to wait for {seconds:.0f} s.",
            "Nothing to do: the work is tried again later.",
            retry_after_s=seconds,
        )
