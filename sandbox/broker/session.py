"""An AMQP session: transfer numbers, windows, and which link a frame belongs to.

One per channel of a connection. It numbers outgoing deliveries and remembers the unsettled ones, so that a disposition
finds the message again. What links do with transfers is in `links` and its neighbours.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sandbox.broker.amqp_types import Described, UInt
from sandbox.broker.doors import Refused, open_link
from sandbox.broker.links import Link
from sandbox.broker.performatives import (
    RECEIVER,
    SENDER,
    Attach,
    Begin,
    Detach,
    Disposition,
    Flow,
    Performative,
    Transfer,
    error,
    rejected,
)

if TYPE_CHECKING:
    from sandbox.broker.connection import Connection
    from sandbox.broker.queue_links import Outbox

WINDOW = 1 << 20
"""Transfer frames we are willing to take; refreshed with every flow we send."""
_WRAP = 1 << 32


class Session:
    """State of one channel, from begin to end."""

    def __init__(self, connection: Connection, channel: int, begin: Begin) -> None:
        self.connection = connection
        self.channel = channel
        self.links: dict[int, Link] = {}
        self.unsettled: dict[int, tuple[Outbox, uuid.UUID]] = {}
        """Deliveries the peer has yet to settle, by delivery id."""
        self._next_incoming = int(begin.next_outgoing_id)
        self._next_outgoing = 0
        self.remote_window = int(begin.incoming_window)

    def handle(self, performative: Performative, payload: bytes) -> None:
        """One frame of this channel; frames for links that are gone are ignored."""
        match performative:
            case Attach():
                self._attach(performative)
            case Flow():
                self._flow(performative)
            case Transfer():
                self._next_incoming = (self._next_incoming + 1) % _WRAP
                if link := self.links.get(performative.handle):
                    link.on_transfer(performative, payload)
            case Disposition() if performative.role is RECEIVER:
                self._settle(performative)
            case Detach():
                if link := self.links.pop(performative.handle, None):
                    link.on_detach()
                    self.send(Detach(performative.handle, performative.closed))

    def send(self, performative: Performative, payload: bytes = b"") -> None:
        """A frame on this channel."""
        self.connection.send(self.channel, performative, payload)

    def detach_all(self) -> None:
        """The session or its connection has ended."""
        for link in self.links.values():
            link.on_detach()
        self.links.clear()

    def transfer(self, handle: UInt, tag: bytes, payload: bytes, settled: bool) -> int:
        """Sends a message in as many frames as the peer's limit asks for; the delivery id."""
        delivery_id = self._next_outgoing
        room = self.connection.peer_frame_size - 64  # the rest of a transfer frame is far below 64 bytes
        for start in range(0, max(len(payload), 1), room):
            more = start + room < len(payload)
            frame = Transfer(handle, UInt(delivery_id), tag, UInt(0), settled, more)
            self.send(frame, payload[start : start + room])
            self._next_outgoing = (self._next_outgoing + 1) % _WRAP
            self.remote_window -= 1
        return delivery_id

    def flow(self, link: Link | None, drain: bool = False) -> None:
        """Tells the peer our windows, and a link's credit."""
        windows = (UInt(self._next_incoming), UInt(WINDOW), UInt(self._next_outgoing), UInt(WINDOW))
        if link is None:
            self.send(Flow(*windows))
        else:
            self.send(Flow(*windows, link.handle, UInt(link.delivery_count), UInt(link.credit), None, drain or None))

    def _attach(self, attach: Attach) -> None:
        try:
            link = open_link(self, attach)
        except Refused as refusal:
            # The protocol's way to refuse: attach without a terminus, then detach with the reason.
            count = UInt(0) if attach.role is RECEIVER else None
            self.send(Attach(attach.name, attach.handle, not attach.role, initial_delivery_count=count))
            self.send(Detach(attach.handle, True, error(refusal.condition, str(refusal))))
            return
        self.links[attach.handle] = link
        link.on_attach(attach)

    def _flow(self, flow: Flow) -> None:
        if flow.next_incoming_id is not None:
            self.remote_window = int(flow.next_incoming_id) + int(flow.incoming_window) - self._next_outgoing
        link = self.links.get(flow.handle) if flow.handle is not None else None
        if link is not None:
            link.on_flow(flow)
        elif flow.echo:
            self.flow(None)

    def _settle(self, disposition: Disposition) -> None:
        first, last = disposition.first, disposition.last
        one = last is None or last == first
        for delivery_id in [first] if one else sorted(i for i in self.unsettled if first <= i <= (last or first)):
            link, token = self.unsettled.pop(delivery_id, (None, None))
            if link is None or token is None:
                outcome = rejected("com.microsoft:message-lock-lost", f"delivery {delivery_id} is settled already")
            else:
                outcome = link.settle(token, disposition.state)
            if not disposition.settled:
                self.settled(SENDER, delivery_id, outcome)

    def settled(self, role: bool, delivery_id: int, outcome: Described) -> None:
        """Tells the peer the outcome of a delivery, for good."""
        self.send(Disposition(role, UInt(delivery_id), UInt(delivery_id), True, outcome))
