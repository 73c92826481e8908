"""One limiter per vendor host: calls per minute, calls at once, and a pause for everybody after a 429.

Every call to a host goes through `slot()`. It waits a moment when the wait is short and raises `Throttled` with the
remaining seconds when it is not: a worker must not sleep where the retry ladder can wait. Bulk reads, which no ladder
stands behind, are more patient. Never more than
`calls_per_minute` calls (two at least) start within any 60 seconds. Obeying `Retry-After` works across instances too,
as the vendor tells each of them. Used by `shared.clients.http`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.errors import Throttled

PATIENCE_S = 2.0
"""Longest sleep for the rate or after a 429."""
BULK_PATIENCE_S = 90.0
"""The same of reads in bulk, whose caller has time."""
_QUEUE_S = 10.0
"""Longest wait for another call of ours to end."""
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
        self._free = threading.BoundedSemaphore(concurrency)
        self._lock = threading.Lock()
        self._paused_until = 0.0
        self._strikes = 0

    @contextmanager
    def slot(self, calls: int = 1, patience_s: float = PATIENCE_S) -> Iterator[None]:
        """One request, which the host counts as `calls`. `Throttled` when it would wait longer than `patience_s`."""
        if not self._free.acquire(timeout=_QUEUE_S):
            raise self._throttled(_QUEUE_S, "BUSY")
        try:
            self._wait(min(calls, self._capacity), patience_s)
            yield
        finally:
            self._free.release()

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
        slept = 0.0
        while (wait := self._next_wait(calls)) > 0:
            if slept + wait > patience_s:
                raise self._throttled(wait, "PAUSED")
            self._sleep(wait)
            slept += wait

    def _next_wait(self, calls: float) -> float:
        """Seconds to wait, or 0 after taking a token for each call."""
        with self._lock:
            now = self._now()
            if now < self._paused_until:
                return self._paused_until - now
            self._tokens = min(self._capacity, self._tokens + (now - self._counted_at) * self._per_second)
            self._counted_at = now
            if self._tokens < calls - _ROUNDING:
                return (calls - self._tokens) / self._per_second
            self._tokens -= calls
            return 0.0

    def _throttled(self, seconds: float, why: str) -> Throttled:
        return Throttled(
            f"HOST_{why}",
            f"Calls to {self._host} have to wait for {seconds:.0f} s.",
            "Nothing to do: the work is tried again later.",
            retry_after_s=seconds,
        )
