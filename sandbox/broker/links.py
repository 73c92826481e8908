"""The ends of AMQP links: what all kinds have in common, and the joining of frames into messages.

Links translate between frames and the engine and decide nothing about messages. The kinds are in `queue_links` (into
and out of a queue) and `node_links` ($cbs and $management); `doors` opens them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.broker.amqp_types import CodecError, Described, Symbol, UInt, ULong
from sandbox.broker.performatives import RECEIVER, Attach, Flow, Transfer, rejected

if TYPE_CHECKING:
    from sandbox.broker.session import Session

CREDIT = 1000
"""Messages a sender may have under way; refreshed when half is used."""


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
        raise NotImplementedError  # a queue's link stores it, a node's link answers it
