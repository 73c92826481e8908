"""A seller's change waits because Partner Center cannot be reached: one audit line on the opportunity says so.

The delivery calls it for a message of flow 5 or 2 that was tried for half an hour (`shared.delivery.DELAYED`). Once per
outage and record: the pair's state remembers it until one of the two flows got an answer. Mark, status and the time of
the last synchronisation stay; what is written starts no run, and the later success speaks for itself.
"""

from __future__ import annotations

from datetime import UTC, datetime

from shared.connections import Connections
from shared.domain import audit
from shared.domain.changes import unsent
from shared.domain.sentences import Note
from shared.domain.state import COLUMN, Delay
from shared.errors import NotFound
from shared.handlers import trail
from shared.handlers.opportunities import again_on_conflict, load
from shared.messages import Hint


def tell(hint: Hint, since: datetime, connections: Connections) -> None:
    """Tell the seller, unless nothing of theirs waits or they know."""
    again_on_conflict(lambda: _tell(hint, since, connections))


def _tell(hint: Hint, since: datetime, connections: Connections) -> None:
    try:
        opportunity = load(connections, hint.row_id)
    except NotFound:
        return
    state, terms, now = opportunity.state, connections.terms, connections.clock()
    if not opportunity.synced or state.delay is not None or not unsent(opportunity, terms):
        return
    parts = [Note("SYNC_DELAYED", {"since": f"{since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"})]
    direction, run = trail.TO_PARTNER_CENTER, hint.correlation_id
    line = trail.line(connections, direction, "DELAY", True, parts, run, opportunity.referral_id)
    delay = Delay(told_at=now, changed_at=opportunity.changed_at)
    values = {
        "cosell_audit": audit.prepend(opportunity.row.text("cosell_audit"), [line]),
        COLUMN: state.but(delay=delay).to_json(),
    }
    connections.dataverse.update("opportunity", opportunity.id, values, opportunity.etag)
