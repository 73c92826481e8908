"""Queues in memory: durable at once, duplicates dropped for a while, delayed messages due by the virtual clock.

A simulation takes messages out with `receive` and settles them with `complete` or `abandon`, as the Functions host
does; an abandoned message comes back at once, and after `max_deliveries` it is dead.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.errors import ConfigurationError
from shared.messages import PARKED_IDS_KEPT, Hint, ParkedMessage, Queue
from shared.ports import Clock
from tests.fakes.calls import Calls, port_call

REMEMBERED = timedelta(minutes=10)
"""The duplicate detection window of every queue but `parked`."""


@dataclass(order=True)
class Message:
    """One message of a queue, ordered by when it is due and when it was sent."""

    due_at: datetime
    number: int
    queue: str = field(compare=False)
    message_id: str = field(compare=False)
    body: str = field(compare=False)
    attempt: int = field(compare=False, default=0)
    deliveries: int = field(compare=False, default=0)


class FakeQueues(Calls):
    """`shared.ports.Queues`."""

    port = "queues"

    def __init__(self, clock: Clock, *, max_deliveries: int = 10) -> None:
        super().__init__()
        self._clock = clock
        self._max_deliveries = max_deliveries
        self._number = 0
        self._waiting: dict[str, list[Message]] = {str(queue): [] for queue in Queue}
        self._seen: dict[str, set[str]] = {str(queue): set() for queue in Queue}
        self._seen_order: dict[str, deque[tuple[datetime, str]]] = {str(queue): deque() for queue in Queue}
        self.dead: list[Message] = []
        self.duplicates = 0

    @port_call
    def send(self, queue: str, hint: Hint, *, delay_s: float = 0.0) -> None:
        self._put(str(queue), hint.message_id(queue), hint.to_json(), hint.attempt, delay_s)

    @port_call
    def resend(self, queue: str, body: str, *, delay_s: float) -> None:
        self._number += 1
        self._put(str(queue), f"again {self._number}", body, 0, delay_s)

    @port_call
    def park(self, parked: ParkedMessage) -> None:
        self._put(str(Queue.PARKED), parked.message_id(), parked.to_json(), parked.attempt, 0.0)

    # what the broker and the host do -------------------------------------------------------------------------------
    def put(self, queue: str, body: str) -> None:
        """A message from elsewhere (Dataverse, an operator), with an id of its own."""
        self._put(queue, f"other-{self._number}", body, 0, 0.0)

    def receive(self, queue: str) -> Message | None:
        """The next message that is due, taken out; settle it."""
        waiting = self._waiting[queue]
        if not waiting or waiting[0].due_at > self._clock():
            return None
        message = heapq.heappop(waiting)
        message.deliveries += 1
        return message

    def complete(self, message: Message) -> None:
        """Nothing remains of it."""

    def abandon(self, message: Message) -> None:
        """Back to the queue, or among the dead after too many deliveries."""
        if message.deliveries >= self._max_deliveries:
            self.dead.append(message)
        else:
            heapq.heappush(self._waiting[message.queue], message)

    def next_due_at(self) -> datetime | None:
        """When the next message of any queue but `parked` is due; None when all are empty."""
        due = [waiting[0].due_at for queue, waiting in self._waiting.items() if waiting and queue != Queue.PARKED]
        return min(due, default=None)

    def bodies(self, queue: str) -> list[str]:
        """The bodies in a queue, due or not, in order."""
        return [message.body for message in sorted(self._waiting[queue])]

    def hints(self, queue: str) -> list[Hint]:
        return [Hint.model_validate_json(body) for body in self.bodies(queue)]

    def parked(self) -> list[ParkedMessage]:
        return [ParkedMessage.model_validate_json(body) for body in self.bodies(Queue.PARKED)]

    def _put(self, queue: str, message_id: str, body: str, attempt: int, delay_s: float) -> None:
        if queue not in self._waiting:
            raise ConfigurationError("SB_QUEUE_MISSING", "A queue of the connector does not exist in Service Bus.")
        now = self._clock()
        kept, order = PARKED_IDS_KEPT if queue == Queue.PARKED else REMEMBERED, self._seen_order[queue]
        while order and order[0][0] <= now - kept:
            self._seen[queue].discard(order.popleft()[1])
        if message_id in self._seen[queue]:
            self.duplicates += 1
            return
        self._seen[queue].add(message_id)
        order.append((now, message_id))
        self._number += 1
        due_at = now + timedelta(seconds=max(delay_s, 0.0))
        heapq.heappush(self._waiting[queue], Message(due_at, self._number, queue, message_id, body, attempt))
