"""The four kinds of link: into a queue, out of a queue, and the request and reply links of $cbs and $management.

A link translates between frames and the engine and decides nothing about messages. `open_link` is the door: it refuses
unknown queues and connections without a valid token.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from sandbox.broker import management, sas
from sandbox.broker.amqp_types import CodecError, Described, Int, Symbol, UInt, ULong
from sandbox.broker.delivery import encode_entry
from sandbox.broker.engine import Queue
from sandbox.broker.entry import LockLost, NotFound
from sandbox.broker.message import BATCH_FORMAT, Request, parse, read_request, response, unbatch
from sandbox.broker.namespace import MANAGEMENT, path_of
from sandbox.broker.performatives import (
    ACCEPTED,
    MODIFIED,
    RECEIVER,
    REJECTED,
    RELEASED,
    SENDER,
    Attach,
    Flow,
    Transfer,
    rejected,
)

if TYPE_CHECKING:
    from sandbox.broker.session import Session

CREDIT = 1000
"""Messages a sender may have under way; refreshed when half is used."""
_SESSION_FILTER = "com.microsoft:session-filter"


class Refused(Exception):
    """A link that may not be opened, with the AMQP condition."""

    def __init__(self, condition: str, sentence: str) -> None:
        super().__init__(sentence)
        self.condition = condition


class Link:
    """One end of a link. `credit` and `delivery_count` as the specification has them (2.6.7)."""

    def __init__(self, session: Session, handle: UInt) -> None:
        self.session = session
        self.broker = session.connection.broker
        self.handle = handle
        self.credit = 0
        self.delivery_count = 0

    def on_attach(self, attach: Attach) -> None:
        """Answers the attach, echoing source and target: the SDK compares them."""
        limit = self.broker.message_size_limit
        reply = Attach(
            attach.name,
            self.handle,
            not attach.role,
            attach.snd_settle_mode,
            attach.rcv_settle_mode,
            attach.source,
            attach.target,
            initial_delivery_count=UInt(0) if attach.role is RECEIVER else None,
            max_message_size=ULong(limit),
            properties={Symbol("com.microsoft:max-message-batch-size"): ULong(limit)},
        )
        self.session.send(reply)

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """A frame of a message from the peer."""

    def on_flow(self, flow: Flow) -> None:
        """The peer's view of the link."""
        if flow.echo:
            self.session.flow(self)

    def on_detach(self) -> None:
        """The link is gone."""


class Incoming(Link):
    """A link the peer sends on: gives credit, joins frames, answers each message with its outcome."""

    def __init__(self, session: Session, handle: UInt) -> None:
        super().__init__(session, handle)
        self._parts: list[bytes] = []
        self._first: Transfer | None = None

    def on_attach(self, attach: Attach) -> None:
        super().on_attach(attach)
        self.credit = CREDIT
        self.session.flow(self)

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        first = self._first = self._first or transfer
        self._parts.append(payload)
        if transfer.more and not transfer.aborted:
            return
        whole, self._parts, self._first = b"".join(self._parts), [], None
        self.delivery_count += 1
        self.credit -= 1
        if not transfer.aborted:
            try:
                outcome = self.accept(whole, int(first.message_format or 0))
            except CodecError as error:
                outcome = rejected("amqp:decode-error", str(error))
            if not first.settled and first.delivery_id is not None:
                self.session.settled(RECEIVER, first.delivery_id, outcome)
        if self.credit <= CREDIT // 2:
            self.credit = CREDIT
            self.session.flow(self)

    def accept(self, payload: bytes, message_format: int) -> Described:
        """The outcome of a whole message."""
        raise NotImplementedError


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
                if self.broker.faults.fires("duplicate_delivery", self.queue.name):
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


class Requests(Incoming):
    """Requests to $cbs (`queue` None) or to a queue's $management."""

    def __init__(self, session: Session, handle: UInt, node: str, queue: Queue | None) -> None:
        super().__init__(session, handle)
        self._node = node
        self._queue = queue

    def accept(self, payload: bytes, message_format: int) -> Described:
        request = read_request(payload)
        reply = self._authorize(request) if self._queue is None else management.answer(self._queue, request)
        for link in self.session.links.values():
            if isinstance(link, Replies) and link.node == self._node:
                link.reply(reply)
                return Described(ACCEPTED, [])
        return rejected("amqp:not-allowed", f"Open a receiver on {self._node} before sending requests to it.")

    def _authorize(self, request: Request) -> bytes:
        """put-token, the only operation of $cbs that there is use for."""
        audience = str(request.properties.get("name", ""))
        now_s = self.broker.namespace.clock() // 1000
        refusal = sas.refusal(str(request.body), audience, self.broker.access, now_s)
        status, description = (Int(401), refusal) if refusal else (Int(202), "Accepted")
        if not refusal:
            self.session.connection.authorized.add(path_of(audience).lower())
        return response(request, {"status-code": status, "status-description": description}, {})


class Replies(Link):
    """Replies of a node."""

    def __init__(self, session: Session, handle: UInt, node: str) -> None:
        super().__init__(session, handle)
        self.node = node

    def reply(self, payload: bytes) -> None:
        """Sends one reply, settled."""
        self.session.transfer(self.handle, self.delivery_count.to_bytes(4), payload, settled=True)
        self.delivery_count += 1


def open_link(session: Session, attach: Attach) -> Link:
    """The link an attach asks for; `Refused` when there is no such queue or no right to it."""
    terminus = attach.target if attach.role is SENDER else attach.source
    fields = terminus.value if isinstance(terminus, Described) and isinstance(terminus.value, list) else []
    address = fields[0] if fields else None
    if not isinstance(address, str):
        raise Refused("amqp:invalid-field", "The link has no address.")
    path = path_of(address)
    if path == "$cbs":
        return _node_link(session, attach, path, None)
    if not session.connection.may_use(path):
        raise Refused("amqp:unauthorized-access", f"Unauthorized access: 'Listen' or 'Send' is needed for '{path}'.")
    try:
        if path.lower().endswith(MANAGEMENT):
            queue = session.connection.broker.namespace.find(path[: -len(MANAGEMENT)])
            return _node_link(session, attach, path.lower(), queue)
        queue = session.connection.broker.namespace.find(path)
    except NotFound as error:
        raise Refused("amqp:not-found", str(error)) from None
    if attach.role is SENDER:
        if queue.dead_letters is None:
            raise Refused("amqp:not-allowed", f"Messages cannot be sent to '{path}'; they are dead-lettered into it.")
        return Inbox(session, attach.handle, queue)
    filters = fields[7] if len(fields) > 7 else None
    if isinstance(filters, dict) and _SESSION_FILTER in filters:
        raise Refused("amqp:not-allowed", f"'{path}' is not a session queue: open a receiver without a session.")
    return Outbox(session, attach.handle, queue, deletes=attach.snd_settle_mode == 1)


def _node_link(session: Session, attach: Attach, node: str, queue: Queue | None) -> Link:
    if attach.role is SENDER:
        return Requests(session, attach.handle, node, queue)
    return Replies(session, attach.handle, node)


def _dead_letter_info(fields: list[Any]) -> dict[str, str]:
    """The reason in a `rejected` outcome."""
    error = fields[0].value if fields and isinstance(fields[0], Described) else []
    info = error[2] if len(error) > 2 and isinstance(error[2], dict) else {}
    return {str(key): value for key, value in info.items() if isinstance(value, str)}
