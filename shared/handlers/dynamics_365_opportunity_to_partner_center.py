"""Flow 6: Dataverse says an opportunity changed, or account, contact, owner or lead around one. Is it ours to act on?

Decides from the message alone wherever it can, so that the many changes that do not concern Partner Center cost no
call: our own writes are echoes, records whose sync switch is off stay alone. Everything else is forwarded to flow 5.
"""

from __future__ import annotations

import uuid

from shared.connections import Connections
from shared.domain.row import Lookup
from shared.handlers import deletions, leads
from shared.handlers.forwarding import SWITCHED_ON, forward, is_ours
from shared.handlers.opportunities import guid
from shared.messages import Hint, Queue
from shared.ports import Condition
from shared.row_event import RowEvent

_SYNC = "cosell_syncwithpartnercenter"
_RELATED = {
    "account": ("parentaccountid", "customerid"),
    "contact": ("parentcontactid", "customerid"),
    "systemuser": ("ownerid",),
}
_MOST = 500
"""Open synced opportunities of one customer or owner that a change of their data touches at most."""


def handle(event: RowEvent, connections: Connections) -> str:
    """Forward, or say why not."""
    if is_ours(event, connections):
        return "our own change"
    if event.table in _RELATED:
        return _people_changed(event, connections)
    if event.table == "lead":
        return leads.answer(event, connections)
    if event.table != "opportunity":
        return f"{event.table} is not synchronised"
    if event.message == "Delete":
        return deletions.handle(event, connections)
    if event.complete and not (event.known(_SYNC) or event.before.get(_SYNC)):
        return "sync is off"
    if event.target.get(_SYNC) and event.before.get(_SYNC) is False:
        _switched_on(event, connections)
    forward(event, connections, event.row_id, f"opportunity-{event.message.lower()}")
    return "forwarded"


def _switched_on(event: RowEvent, connections: Connections) -> None:
    """What Partner Center told while sync was off was left alone, Microsoft's answer among it: have both looked at."""
    referral = guid(event.known("cosell_referralidentifier"))
    if referral:
        version, now = event.operation_id, connections.clock()
        hint = Hint(subject="referral", id=uuid.UUID(referral), reason=SWITCHED_ON, version=version, occurred_at=now)
        connections.queues.send(Queue.PARTNER_CENTER_EVENTS, hint)


def _people_changed(event: RowEvent, connections: Connections) -> str:
    """A corrected country or a completed contact may be what a blocked deal waits for; an owner is in its team."""
    row_id = str(event.row_id)
    found: set[str] = set()
    for column in _RELATED[event.table]:
        where = [Condition(column, Lookup(event.table, row_id)), Condition(_SYNC, True), Condition("statecode", 0)]
        found |= {row.id for row in connections.dataverse.find("opportunity", where, ("name",), limit=_MOST)}
    for opportunity_id in sorted(found):
        forward(event, connections, uuid.UUID(opportunity_id), f"{event.table}-update")
    return f"forwarded {len(found)}"
