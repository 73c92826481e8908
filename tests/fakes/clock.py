"""A clock that moves only when it is told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class VirtualClock:
    """`shared.ports.Clock`. Never goes backwards unless `set` says so."""

    def __init__(self, start: datetime = START) -> None:
        self._seconds: float | None = None
        self.set(start)

    def __call__(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        self.set(self._now + timedelta(0, seconds))

    def set(self, moment: datetime) -> None:
        """For clock jumps, in either direction."""
        self._now, self._seconds = moment, None

    def monotonic(self) -> float:
        """Seconds, for what counts time and knows no dates."""
        if self._seconds is None:
            self._seconds = self._now.timestamp()
        return self._seconds
