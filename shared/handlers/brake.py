"""The brake: more than N closings an hour in one direction stop there, until an operator has looked.

A closed referral cannot be opened again, and one wrong script closes hundreds of opportunities in a minute. So every
closing is written down first, as a row of the table `cosell_closing` whose id follows from the deal and its ending: a
message that comes twice finds the row of the first. Count, pause and the operator's decision all lie in that table, as
instances share nothing else. Whoever finds one closing too many makes the row that says the direction is paused, of
which there can be one only, and raises the alert. `python -m admin closings` decides about what is held. What is not a
closing is never held.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from shared.connections import Connections
from shared.domain.incoming import row_id
from shared.errors import Conflict
from shared.messages import Hint, Queue
from shared.ports import Condition, Dataverse, Row

TABLE = "cosell_closing"
HELD_BACK = "closing held"
"""What a handler answers when its closing has to wait."""
WINDOW = timedelta(hours=1)
_COLUMNS = ("cosell_name", "cosell_direction", "cosell_state", "cosell_closedon", "cosell_queue", "cosell_message")
_log = logging.getLogger("cosell.brake")


class Direction(IntEnum):
    """Where closings go; values of the column `cosell_direction`."""

    PARTNER_CENTER = 100000000
    DYNAMICS_365 = 100000001

    @property
    def words(self) -> str:
        return "Partner Center" if self is Direction.PARTNER_CENTER else "Dynamics 365"


class State(IntEnum):
    """What becomes of a closing; values of the column `cosell_state`."""

    CARRIED = 100000000
    HELD = 100000001
    APPROVED = 100000002
    LEFT_OPEN = 100000003
    PAUSED = 100000004
    """Not a closing: the row that says a direction is paused."""


@dataclass(frozen=True)
class Closing:
    """One closing that is about to be carried over."""

    to: Direction
    referral_id: str
    queue: Queue
    message: str
    """What makes the connector look at the deal again, once it is approved; goes to `queue`."""
    occasion: str = ""
    """Tells this ending from an earlier one of the same deal, where there can be several."""


def admits(connections: Connections, closing: Closing) -> bool:
    """Whether it may be carried over now. What was held stays so until the operator has decided, who is then obeyed.

    Counted after it was written down, so that instances at work side by side let no closing too many pass; and counted
    again when its message comes again, as whoever wrote it down may have died before counting.
    """
    if connections.dry_run:
        return True  # nothing is going to be closed
    dataverse = connections.dataverse
    paused = bool(rows(dataverse, closing.to, State.PAUSED, limit=1))
    known = row_id("closing", closing.to.name, closing.referral_id, closing.occasion)
    now = connections.clock().replace(microsecond=0)
    values = _values(closing.to, closing.referral_id, State.HELD if paused else State.CARRIED, now)
    values |= {"cosell_queue": str(closing.queue), "cosell_message": closing.message}
    try:
        dataverse.create(TABLE, values, known)
    except Conflict:
        state = dataverse.get(TABLE, known, ("cosell_state",)).values["cosell_state"]
        if state != State.CARRIED:
            return bool(state == State.APPROVED)
    else:
        if paused:
            return _held(closing)
    most = connections.brake_closings_per_hour
    recent = [Condition("cosell_closedon", now - WINDOW, "ge")]
    if len(rows(dataverse, closing.to, State.CARRIED, recent, limit=most + 1)) <= most:
        return True
    _pause(connections, closing.to, now)
    dataverse.update(TABLE, known, {"cosell_state": int(State.HELD)}, None)
    return _held(closing)


def from_hint(hint: Hint, to: Direction, referral_id: str, occasion: str = "") -> Closing:
    """The closing that a hint led to: once approved, the same hint brings whoever carries it over back to the deal."""
    opportunity = hint.subject == "opportunity"
    queue = Queue.DYNAMICS_365_TO_PARTNER_CENTER if opportunity else Queue.PARTNER_CENTER_EVENTS
    return Closing(to, referral_id, queue, hint.to_json(), occasion)


def rows(
    dataverse: Dataverse, to: Direction, state: State, where: Sequence[Condition] = (), *, limit: int = 1_000_000
) -> list[Row]:
    """Closings of one direction, oldest first."""
    conditions = [Condition("cosell_direction", int(to)), Condition("cosell_state", int(state)), *where]
    return dataverse.find(TABLE, conditions, _COLUMNS, order_by="cosell_closedon asc", limit=limit)


def _values(to: Direction, name: str, state: State, now: datetime) -> dict[str, object]:
    return {
        "cosell_name": name,
        "cosell_direction": int(to),
        "cosell_state": int(state),
        "cosell_closedon": now,
    }


def _held(closing: Closing) -> bool:
    _log.warning("HELD a closing to %s, referral %s", closing.to.words, closing.referral_id[:8])
    return False


def _pause(connections: Connections, to: Direction, now: datetime) -> None:
    """Pause the direction and say so, once, however many find out at the same moment."""
    try:
        connections.dataverse.create(TABLE, _values(to, "paused", State.PAUSED, now), row_id("pause", to.name))
    except Conflict:
        return
    most = connections.brake_closings_per_hour
    sentence = f"More than {most} deals were closed within an hour: closings to {to.words} are paused."
    remedy = "See which with python -m admin closings list, then approve or discard them."
    _log.error("ALERT BRAKE_CLOSINGS: %s %s", sentence, remedy)
    connections.notifications.post("Co-sell closings are paused", f"{sentence} {remedy}", {"Code": "BRAKE_CLOSINGS"})
