"""Inbound deals expire after fourteen days without an answer: remind at seven, three and one day, once each.

A reminder is an audit line on the opportunity and a notification. Which one was given last stands in the pair's state,
so that the timer may run as often as it likes.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from shared.connections import Connections
from shared.domain.opportunity import Opportunity
from shared.domain.sentences import Note
from shared.errors import Conflict, NotFound
from shared.handlers import trail
from shared.handlers.opportunities import load, write_back
from shared.ports import Condition

DAYS = (1, 3, 7)
CODE = "RESPOND_BY"
_MOST = 500
_log = logging.getLogger("cosell.reminders")


def handle(connections: Connections) -> str:
    """Remind of every deal on hold whose time to answer runs out."""
    now = connections.clock()
    where = [
        Condition("cosell_syncwithpartnercenter", True),
        Condition("statecode", 0),
        Condition("statuscode", connections.terms.statuses.on_hold),
        Condition("cosell_respondby", now, "gt"),
        Condition("cosell_respondby", now + timedelta(days=max(DAYS)), "le"),
    ]
    rows = connections.dataverse.find("opportunity", where, ("cosell_respondby",), limit=_MOST)
    reminded = 0
    for row in rows:
        respond_by = row.values.get("cosell_respondby")
        if isinstance(respond_by, datetime):
            try:
                reminded += _remind(connections, load(connections, row.id), respond_by, now)
            except (Conflict, NotFound):
                _log.info("opportunity %s changed meanwhile; the next run reminds", row.id)
    return f"{reminded} reminders"


def _remind(connections: Connections, opportunity: Opportunity, respond_by: datetime, now: datetime) -> bool:
    left = (respond_by - now).total_seconds() / 86_400
    step = str(next(days for days in DAYS if left <= days))
    state = opportunity.state
    if state.told.get(CODE) == step:
        return False
    note = Note("RESPOND_BY", {"day": f"{respond_by:%Y-%m-%d}"})
    line = trail.line(connections, trail.TO_CRM, "REMIND", True, [note], "reminder", opportunity.referral_id)
    state = state.but(told={**state.told, CODE: step})
    write_back(connections, opportunity, state, lines=[line])
    connections.notifications.post(
        "A co-sell deal waits for an answer",
        f"{opportunity.name} expires on {respond_by:%Y-%m-%d}.",
        {"Referral": opportunity.referral_id or ""},
    )
    return True
