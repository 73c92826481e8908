"""All queues of the broker under their names, with their dead-letter queues: the whole state, still pure.

Names are compared without regard to case, as the service does. Built from what `store` kept; addresses on the wire are
resolved here so that links and $management agree on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from sandbox.broker.engine import Queue
from sandbox.broker.entry import Journal, NotFound, Rules

DEAD_LETTERS = "/$deadletterqueue"
MANAGEMENT = "/$management"


class Namespace:
    """The queues named, and no others. `memories_ms`: duplicate windows that differ from the rules', by queue."""

    def __init__(
        self,
        names: Iterable[str],
        rules: Rules,
        journal: Journal,
        clock: Callable[[], int],
        memories_ms: Mapping[str, int] | None = None,
    ) -> None:
        self.clock = clock
        self.names = tuple(names)
        self._queues: dict[str, Queue] = {}
        quiet = replace(rules, max_delivery_count=None, duplicate_window_ms=0, default_ttl_ms=None)
        for name in self.names:
            key = name.lower()
            dead_letters = Queue(key + DEAD_LETTERS, quiet, journal, clock)
            self._queues[dead_letters.name] = dead_letters
            window_ms = (memories_ms or {}).get(name, rules.duplicate_window_ms)
            own = replace(rules, duplicate_window_ms=window_ms)
            self._queues[key] = Queue(key, own, journal, clock, dead_letters)

    @property
    def queues(self) -> Iterable[Queue]:
        """Every queue, dead-letter queues included."""
        return self._queues.values()

    @property
    def sent(self) -> int:
        """How many messages have come so far, duplicates that were dropped included."""
        return sum(queue.last_number for queue in self._queues.values())

    def find(self, path: str) -> Queue:
        """The queue at a path such as `parked` or `parked/$DeadLetterQueue`; `NotFound` when there is none."""
        queue = self._queues.get(path.lower())
        if queue is None:
            raise NotFound(f"The messaging entity '{path}' could not be found.")
        return queue

    def next_due(self) -> int | None:
        """When `run_due` next has something to do."""
        return min((at for queue in self._queues.values() if (at := queue.next_due()) is not None), default=None)

    def run_due(self) -> None:
        """Lets every queue do what time has brought."""
        for queue in self._queues.values():
            queue.run_due()

    def age(self, milliseconds: int) -> None:
        """Makes everything held that much older."""
        for queue in self._queues.values():
            queue.age(milliseconds)
        self.run_due()

    def counts(self) -> dict[str, dict[str, int]]:
        """By queue: active, scheduled, deferred, locked and dead_letter."""
        return {
            name: {**self.find(name).counts(), "dead_letter": len(self.find(name + DEAD_LETTERS).entries)}
            for name in self.names
        }


def path_of(address: str) -> str:
    """The path in a link address such as `amqps://host:port/parked/$management`, or the address itself."""
    path = urlsplit(address).path if "://" in address else address
    return path.strip("/")
