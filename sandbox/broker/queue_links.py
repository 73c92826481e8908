"""Links of a queue: `Inbox` from a sender into it, `Outbox` from it to a receiver.

Faults that tests ask for bite here. What becomes of a message is the engine's business.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from sandbox.broker.amqp_types import Described, UInt
from sandbox.broker.delivery import encode_entry
from sandbox.broker.engine import Queue
from sandbox.broker.entry import LockLost, NotFound
from sandbox.broker.links import Incoming, Link
from sandbox.broker.message import BATCH_FORMAT, parse, unbatch
from sandbox.broker.performatives import ACCEPTED, MODIFIED, REJECTED, RELEASED, Attach, Flow, rejected

if TYPE_CHECKING:
    from sandbox.broker.session import Session


class Inbox(Incoming):
    """From a sender into a queue."""

    def __init__(self, session: Session, handle: UInt, queue: Queue) -> None:
        super().__init__(session, handle)
        self._queue = queue

    def accept(self, payload: bytes, message_format: int) -> Described:
        if len(payload) > self.broker.message_size_limit:
            limit = self.broker.message_size_limit
            return rejected(
                "amqp:link:message-size-exceeded",
                f"The message is {len(payload)} bytes; this queue takes at most {limit}.",
            )
        if fault := self.broker.faults.fires("refuse_send", self._queue.name):
            return rejected(fault.condition, "A fault was asked for: refuse_send.")
        messages = [parse(one) for one in (unbatch(payload) if message_format == BATCH_FORMAT else [payload])]
        for message in messages:
            self._queue.send(message)
        if fault := self.broker.faults.fires("delay", self._queue.name):
            self.broker.hold(self.session.connection, fault.delay_s)
        if self.broker.faults.fires("lost_answer", self._queue.name):
            self.session.connection.doomed = True
        return Described(ACCEPTED, [])


class Outbox(Link):
    """From a queue to a receiver, peek-lock or receive-and-delete."""

    def __init__(self, session: Session, handle: UInt, queue: Queue, deletes: bool) -> None:
        super().__init__(session, handle)
        self.queue = queue
        self._deletes = deletes

    def on_attach(self, attach: Attach) -> None:
        super().on_attach(attach)
        self.broker.consumers.setdefault(self.queue.name, []).append(self)

    def on_detach(self) -> None:
        self.broker.consumers[self.queue.name].remove(self)

    def on_flow(self, flow: Flow) -> None:
        if flow.link_credit is not None:
            self.credit = int(flow.delivery_count or 0) + int(flow.link_credit) - self.delivery_count
        if flow.drain:
            self.broker.deliver(self.queue)
            self.delivery_count += max(self.credit, 0)
            self.credit = 0
            self.session.flow(self, drain=True)
        elif flow.echo:
            self.session.flow(self)

    def wants(self) -> bool:
        """Whether a message may be sent now."""
        return self.credit > 0 and self.session.remote_window > 0

    def deliver(self) -> None:
        """Sends the queue's next message; the caller has made sure there is one."""
        entry = self.queue.receive(self._deletes)
        if entry is None:
            return
        token = entry.lock_token or uuid.uuid4()
        payload = encode_entry(entry, self.queue.name)
        delivery_id = self.session.transfer(self.handle, token.bytes_le, payload, settled=self._deletes)
        if not self._deletes:
            self.session.unsettled[delivery_id] = (self, token)
        self.delivery_count += 1
        self.credit -= 1

    def settle(self, token: uuid.UUID, state: Any) -> Described:
        """Does what the receiver decided; the outcome to answer with, `rejected` with an error when it failed."""
        kind = state.descriptor if isinstance(state, Described) else RELEASED
        fields = list(state.value) if isinstance(state, Described) else []
        try:
            if kind == ACCEPTED:
                first = self.queue.is_first_delivery(token)
                if first and self.broker.faults.fires("duplicate_delivery", self.queue.name):
                    self.queue.abandon(token)
                else:
                    self.queue.complete(token)
            elif kind == MODIFIED and len(fields) > 1 and fields[1]:
                self.queue.defer(token)
            elif kind == MODIFIED and fields and fields[0]:
                self.queue.abandon(token)
            elif kind == REJECTED:
                info = _dead_letter_info(fields)
                self.queue.dead_letter(token, info.get("DeadLetterReason"), info.get("DeadLetterErrorDescription"))
            else:
                self.queue.release(token)
        except LockLost as error:
            return rejected("com.microsoft:message-lock-lost", str(error))
        except NotFound as error:
            return rejected("amqp:not-allowed", str(error))
        return Described(kind, [])


def _dead_letter_info(fields: list[Any]) -> dict[str, str]:
    """The reason in a `rejected` outcome."""
    error = fields[0].value if fields and isinstance(fields[0], Described) else []
    info = error[2] if len(error) > 2 and isinstance(error[2], dict) else {}
    return {str(key): value for key, value in info.items() if isinstance(value, str)}
