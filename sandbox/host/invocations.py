"""Every invocation: its call into the worker, its numbers and its log line. Used by all triggers, from any thread.

`running` covers the settlement of a queue's message too, so "nothing running and nothing in the queues" means idle.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from sandbox.host.runtime import Datum, Outcome, invoke
from sandbox.host.triggers import Function

_log = logging.getLogger("sandbox.host")
_GIVEN_UP = Outcome(ok=False, error="given up because the host stops")


@dataclass
class Tally:
    """Counts of one function since the host started; `invocations` = succeeded + failed + running."""

    invocations: int = 0
    succeeded: int = 0
    failed: int = 0
    running: int = 0


@dataclass
class Invocation:
    """One call. A call whose outcome nobody sets was given up by a stop, and counts as failed."""

    function: Function
    timeout_s: float | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    outcome: Outcome = _GIVEN_UP

    async def call(self, value: Datum, metadata: Mapping[str, Datum]) -> Outcome:
        """Run the function; must be awaited on the host's event loop. Sets nothing."""
        return await invoke(self.id, self.function.id, self.function.trigger.argument, value, metadata, self.timeout_s)


class Invocations:
    """Counts by function name. Thread-safe."""

    def __init__(self, functions: Iterable[Function], timeout_s: float | None) -> None:
        self._tallies = {function.name: Tally() for function in functions}
        self._timeout_s = timeout_s
        self._lock = threading.Lock()

    @contextmanager
    def run(self, function: Function) -> Iterator[Invocation]:
        """Count and log what happens inside the block, which sets the invocation's outcome."""
        invocation = Invocation(function, self._timeout_s)
        tally = self._tallies[function.name]
        with self._lock:
            tally.invocations += 1
            tally.running += 1
        begun = time.perf_counter()
        try:
            yield invocation
        finally:
            ok = invocation.outcome.ok
            with self._lock:
                tally.running -= 1
                tally.succeeded += ok
                tally.failed += not ok
            _report(invocation, (time.perf_counter() - begun) * 1000)

    async def call(self, function: Function, value: Datum, metadata: Mapping[str, Datum]) -> Outcome:
        """Run a function that needs no settlement."""
        with self.run(function) as invocation:
            invocation.outcome = await invocation.call(value, metadata)
            return invocation.outcome

    def counts(self) -> dict[str, dict[str, int]]:
        """Function name → its tally, all read at one moment."""
        with self._lock:
            return {name: asdict(tally) for name, tally in self._tallies.items()}


def _report(invocation: Invocation, duration_ms: float) -> None:
    outcome = invocation.outcome
    line = f"{invocation.function.name} {invocation.id} {duration_ms:.1f} ms"
    if outcome.ok:
        _log.info("%s succeeded", line)
        return
    last = (outcome.traceback or outcome.error).strip().rpartition("\n")[2]
    _log.error("%s failed: %s", line, last)
    _log.debug("%s %s", invocation.id, outcome.traceback or outcome.error)
