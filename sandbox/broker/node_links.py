"""Links of the request nodes: $cbs, where a connection proves that it knows the key, and a queue's $management.

Requests come in on one link, replies leave on another of the same session. The operations themselves are in `sas` and
`management`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.broker import management, sas
from sandbox.broker.amqp_types import Described, Int, UInt
from sandbox.broker.engine import Queue
from sandbox.broker.links import Incoming, Link
from sandbox.broker.message import Request, read_request, response
from sandbox.broker.namespace import path_of
from sandbox.broker.performatives import ACCEPTED, rejected

if TYPE_CHECKING:
    from sandbox.broker.session import Session


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
