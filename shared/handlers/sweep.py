"""Reconciliation: what no event told us. Looks back over both systems and sends the same hints the events would.

The handlers find no difference for what is in step, so a sweep of a healthy system writes nothing. Partner Center drops
an event for good after ten failed deliveries, and Dataverse may lose a job: this is what makes both harmless.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

from shared.connections import Connections
from shared.domain.opportunity import OPEN
from shared.handlers.forwarding import SWEEP
from shared.handlers.opportunities import guid
from shared.messages import Hint, Queue
from shared.ports import Condition

_log = logging.getLogger("cosell.sweep")
_MOST = 1_000_000
"""More than any pipeline holds: everything is meant."""


def handle(connections: Connections, look_back: timedelta, *, all_open_deals: bool = False, send: bool = True) -> str:
    """Hints for everything changed within `look_back` on either side; how many, in words.

    `all_open_deals`: in the CRM every open shared deal, however long ago it was changed.
    """
    now = connections.clock()
    since = now - look_back
    referrals = opportunities = 0
    named = {hint.id: hint for hint in (*_referrals(connections, since, now), *_leads(connections, since, now))}
    for hint in named.values():
        referrals += 1
        if send:
            connections.queues.send(Queue.PARTNER_CENTER_EVENTS, hint)
    for hint in _opportunities(connections, None if all_open_deals else since, now):
        opportunities += 1
        if send:
            connections.queues.send(Queue.DYNAMICS_365_TO_PARTNER_CENTER, hint)
    _log.info("sweep since %s: %d referrals, %d opportunities", since.isoformat(), referrals, opportunities)
    return f"{referrals} referrals, {opportunities} opportunities"


def _referrals(connections: Connections, since: datetime, now: datetime) -> Iterator[Hint]:
    for referral in connections.partner_center.updated_since(since):
        if known := guid(referral.id):
            yield Hint(subject="referral", id=uuid.UUID(known), reason=SWEEP, version=_minute(now))


def _leads(connections: Connections, since: datetime, now: datetime) -> Iterator[Hint]:
    """Referrals of the leads that a seller may have answered."""
    where = [Condition("cosell_referralidentifier", None, "ne"), Condition("modifiedon", since, "ge")]
    columns = ("cosell_referralidentifier",)
    for row in connections.dataverse.find("lead", where, columns, order_by="modifiedon asc", limit=_MOST):
        if known := guid(row.text("cosell_referralidentifier")):
            yield Hint(subject="referral", id=uuid.UUID(known), reason=SWEEP, version=_minute(now))


def _opportunities(connections: Connections, since: datetime | None, now: datetime) -> Iterator[Hint]:
    changed = Condition("modifiedon", since, "ge") if since else Condition("statecode", OPEN)
    where = [Condition("cosell_syncwithpartnercenter", True), changed]
    rows = connections.dataverse.find("opportunity", where, ("name",), order_by="modifiedon asc", limit=_MOST)
    for row in rows:
        yield Hint(subject="opportunity", id=uuid.UUID(row.id), reason=SWEEP, version=_minute(now))


def _minute(now: datetime) -> str:
    """Two sweeps within a minute are one."""
    return now.strftime("%Y-%m-%dT%H:%M")
