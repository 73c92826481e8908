"""Reconciliation: what no event told us. Looks back over both systems and sends the same hints the events would.

The handlers find no difference for what is in step, so a sweep of a healthy system writes nothing. Partner Center drops
an event for good after ten failed deliveries, and Dataverse may lose a job: this is what makes both harmless.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta

from shared.connections import Connections
from shared.messages import Hint, Queue
from shared.ports import Condition

_log = logging.getLogger("cosell.sweep")
_MOST = 5000


def handle(connections: Connections, look_back: timedelta) -> str:
    """Hints for everything changed within `look_back` on either side."""
    now = connections.clock()
    since = now - look_back
    referrals = _referrals(connections, since, now)
    opportunities = _opportunities(connections, since, now)
    _log.info("sweep since %s: %d referrals, %d opportunities", since.isoformat(), referrals, opportunities)
    return f"{referrals} referrals, {opportunities} opportunities"


def _referrals(connections: Connections, since: datetime, now: datetime) -> int:
    count = 0
    for referral in connections.partner_center.updated_since(since):
        if not _is_guid(referral.id):
            continue
        hint = Hint(subject="referral", id=uuid.UUID(referral.id), reason="sweep", version=_minute(now))
        connections.queues.send(Queue.PARTNER_CENTER_EVENTS, hint)
        count += 1
    return count


def _opportunities(connections: Connections, since: datetime, now: datetime) -> int:
    where = [Condition("cosell_syncwithpartnercenter", True), Condition("modifiedon", since, "ge")]
    rows = connections.dataverse.find("opportunity", where, ("name",), order_by="modifiedon asc", limit=_MOST)
    for row in rows:
        hint = Hint(subject="opportunity", id=uuid.UUID(row.id), reason="sweep", version=_minute(now))
        connections.queues.send(Queue.DYNAMICS_365_TO_PARTNER_CENTER, hint)
    return len(rows)


def _minute(now: datetime) -> str:
    """Two sweeps within a minute are one."""
    return now.strftime("%Y-%m-%dT%H:%M")


def _is_guid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
