"""The Functions host of a simulation: takes messages out of the queues, runs the flows, interleaves them, dies.

Every delivery is a greenlet that hands over at each port call, so that one seed decides the whole interleaving. A
message is completed when its function returns, and comes back when the function raises or the process is killed; a
few hundred lines of the real thing's behaviour that matter here. No threads, no sleeping, no wall clock.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # the package ships no types

from shared.messages import Queue
from tests.chaos.faults import Killed, Plan, Random
from tests.fakes.service_bus import FakeQueues, Message

QUEUES = [str(queue) for queue in Queue if queue is not Queue.PARKED]


@dataclass
class _Delivery:
    message: Message
    thread: greenlet
    outcome: str = ""


def _not_at_all() -> bool:
    return False


@dataclass
class Host:
    """One process at a time. `run` handles one message; `restart` makes the next process."""

    queues: FakeQueues
    plan: Plan
    run: Callable[[Message], None]
    restart: Callable[[], None]
    random: random.Random
    at_once: int = 6
    window: int = 50
    """How many messages ahead the order may be disturbed."""
    counts: Counter[str] = field(default_factory=Counter)
    most_deliveries: int = 0
    _ahead: list[Message] = field(default_factory=list)
    _running: list[_Delivery] = field(default_factory=list)
    _main: greenlet = field(default_factory=getcurrent)
    _goes_on: Callable[[], bool] = _not_at_all
    """Whether a delivery that comes to a port call may decide about the next step."""
    _next: _Delivery | None = None
    """Who goes on then, when it is another one."""
    _dies: bool = False
    """Whether the process dies then."""

    @property
    def running(self) -> int:
        """Deliveries at work."""
        return len(self._running)

    def switch(self) -> None:
        """Called by the ports: let the scheduler choose who goes on. Half of the time it is who came here."""
        here = getcurrent()
        if here is self._main:
            return
        if self._goes_on():
            self._dies = self.plan.kills()
            self._next = None if self._dies else self._choose()
            if self._next is not None and self._next.thread is here:
                self._next = None
                return
        self._main.switch()

    def work(self, goes_on: Callable[[], bool]) -> None:
        """Step by step as long as `goes_on` and there is something to do."""
        self._goes_on = goes_on
        while (self._next is not None or goes_on()) and self._step():
            pass
        self._goes_on = _not_at_all

    def _step(self) -> bool:
        """Run somebody until somebody else is to go on; False when there is nothing to do at this moment."""
        delivery, self._next = self._next, None
        if delivery is None:
            if self._dies or (self._running and self.plan.kills()):
                self._dies = False
                self.kill()
            delivery = self._choose()
        if delivery is None:
            return False
        self._resume(delivery)
        return True

    def _choose(self) -> _Delivery | None:
        """Who goes on, perhaps with a message that is taken now; None when there is none."""
        if not self._running or (len(self._running) < self.at_once and self.random.random() < 0.3):
            self._look_ahead()
            if self._ahead:
                self._start()
            elif not self._running:
                return None
        return self.random.choice(self._running) if len(self._running) > 1 else self._running[0]

    def kill(self) -> None:
        """SIGKILL: everything that runs ends where it stands, and its messages come again."""
        self.counts["killed"] += 1
        running, self._running = self._running, []
        for delivery in running:
            if delivery.outcome == "running":
                delivery.thread.throw(Killed)
            self.queues.abandon(delivery.message)
        self.restart()

    def _look_ahead(self) -> None:
        room = self.window - len(self._ahead)
        for queue in QUEUES:
            while room > 0 and (message := self.queues.receive(queue)):
                self._ahead.append(message)
                room -= 1

    def _start(self) -> None:
        place = self.random.randrange(len(self._ahead))
        message = self._ahead.pop(place)
        self.counts["reordered"] += place > 0
        self.counts["deliveries"] += 1
        self.most_deliveries = max(self.most_deliveries, message.deliveries)
        delivery = _Delivery(message, greenlet(self._deliver, parent=self._main))
        self._running.append(delivery)
        delivery.outcome = "started"

    def _deliver(self, delivery: _Delivery) -> None:
        try:
            self.run(delivery.message)
            delivery.outcome = "done"
        except Killed:
            if delivery in self._running:  # killed by its own port: the whole process dies
                delivery.outcome = "died"
        except Exception:  # noqa: BLE001 - as the host does: whatever a function raises, its message comes again
            delivery.outcome = "raised"

    def _resume(self, delivery: _Delivery) -> None:
        if delivery.outcome == "started":
            delivery.outcome = "running"
            delivery.thread.switch(delivery)
        else:
            delivery.thread.switch()
        if delivery.outcome == "running":
            return
        self._running.remove(delivery)
        if delivery.outcome == "died":
            self.queues.abandon(delivery.message)
            self.kill()
        elif delivery.outcome == "done" and not self._settle_is_lost():
            self.queues.complete(delivery.message)
        else:
            self.counts[delivery.outcome] += 1
            self.queues.abandon(delivery.message)

    def _settle_is_lost(self) -> bool:
        return isinstance(self.plan, Random) and self.plan.happens("settle_lost")
