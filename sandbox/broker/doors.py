"""Which link an attach opens. Unknown queues are refused, and so are connections that put no valid token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.broker.amqp_types import Described
from sandbox.broker.engine import Queue
from sandbox.broker.entry import NotFound
from sandbox.broker.links import Link
from sandbox.broker.namespace import MANAGEMENT, path_of
from sandbox.broker.node_links import Replies, Requests
from sandbox.broker.performatives import SENDER, Attach
from sandbox.broker.queue_links import Inbox, Outbox

if TYPE_CHECKING:
    from sandbox.broker.session import Session

_SESSION_FILTER = "com.microsoft:session-filter"


class Refused(Exception):
    """A link that may not be opened, with the AMQP condition."""

    def __init__(self, condition: str, sentence: str) -> None:
        super().__init__(sentence)
        self.condition = condition


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
