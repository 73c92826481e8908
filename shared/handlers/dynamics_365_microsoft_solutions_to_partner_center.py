"""Flow 7: a solution row below an opportunity was added, changed or removed; forward its opportunity to flow 5.

Solution rows can only be added after the opportunity was saved: this is the moment many deals become complete.
"""

from __future__ import annotations

import uuid

from shared.connections import Connections
from shared.domain.opportunity import SOLUTION_TABLE
from shared.errors import NotFound
from shared.handlers.forwarding import forward, is_ours
from shared.row_event import RowEvent

_PARENT = "cosell_opportunityid"


def handle(event: RowEvent, connections: Connections) -> str:
    """Forward the parent, from the message where it names it, else from the row."""
    if is_ours(event, connections):
        return "our own change"
    if event.table != SOLUTION_TABLE:
        return f"{event.table} is not a solution of a deal"
    parents = {_id(event.target.get(_PARENT)), _id(event.before.get(_PARENT))} - {None}
    if not parents and event.message != "Delete":
        try:
            lookup = connections.dataverse.get(SOLUTION_TABLE, str(event.row_id), (_PARENT,)).lookup(_PARENT)
        except NotFound:
            return "solution is gone"
        parents = {lookup.id} if lookup else set()
    for parent in sorted(filter(None, parents)):
        forward(event, connections, uuid.UUID(parent), "solution")
    return "forwarded" if parents else "solution without an opportunity"


def _id(value: object) -> str | None:
    """The id of a lookup in a message: (table, id)."""
    return str(value[1]) if isinstance(value, tuple) and value[1] else None
