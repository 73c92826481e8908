"""A flow rehearsed: run on what was read in bulk, with ports that write nothing, to learn whether it would do anything.

So the sweep compares by the flows' own code, and there is no second truth about what differs. A flow that asks for
something nobody read cannot be foreseen; that counts as something to do, since a hint too many is harmless. What was
read (`Known`) is gathered by `shared.handlers.pairs`; the ports that write nothing are those of `shared.dry_run`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import shared.handlers.create_cosell_referral_dynamics_365_to_partner_center as flow_2
import shared.handlers.dynamics_365_to_partner_center as flow_5
import shared.handlers.partner_center_microsoft_cosell_referral_updates_to_dynamics_365 as flow_3
import shared.handlers.partner_center_to_dynamics_365 as flow_4
from shared.connections import Connections
from shared.domain.referral import Referral
from shared.domain.row import Row
from shared.domain.state import COLUMN
from shared.dry_run import DryDataverse, DryPartnerCenter, DryRun
from shared.errors import NotFound, NotYet, SyncError
from shared.messages import Hint, Queue
from shared.ports import Condition, Dataverse, NoNotifications, PartnerCenter, Queues

FLOWS: Mapping[Queue, Callable[[Hint, Connections], str]] = {
    Queue.PARTNER_CENTER_EVENTS: flow_4.handle,
    Queue.MICROSOFT_REFERRAL_UPDATES: flow_3.handle,
    Queue.DYNAMICS_365_TO_PARTNER_CENTER: flow_5.handle,
    Queue.CREATE_COSELL_REFERRAL: flow_2.handle,
}
_FOLLOWED = (Queue.MICROSOFT_REFERRAL_UPDATES, Queue.CREATE_COSELL_REFERRAL)
"""Flows that only others tell; flows 4 and 5, which tell each other, are rehearsed for every pair anyway."""
_BOOKKEEPING = ("cosell_audit", "cosell_lastsyncedon", COLUMN)
"""Columns that every write touches."""


@dataclass
class Known:
    """What was read of some pairs. None: it was looked for and does not exist."""

    rows: dict[tuple[str, str], Row | None] = field(default_factory=dict)
    """Table and row id → row."""
    carriers: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    """Table and referral id → rows that carry it."""
    referrals: dict[str, Referral | None] = field(default_factory=dict)
    engagements: dict[str, list[Referral]] = field(default_factory=dict)


class Unread(Exception):
    """The flow asked for what nobody read."""


class _Rows:
    """Reads of `shared.ports.Dataverse` from what is known."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def get(self, table: str, row_id: str, *_: object) -> Row:
        row = _of(self._known.rows, (table, row_id))
        if row is None:
            raise _absent("DV")
        return row

    def find(self, table: str, where: Sequence[Condition], *_: object, **__: object) -> list[Row]:
        carried = len(where) == 1 and where[0].column == "cosell_referralidentifier"
        return _of(self._known.carriers, (table, str(where[0].value)) if carried else ("", ""))

    def __getattr__(self, _name: str) -> Any:
        raise Unread


class _Referrals:
    """Reads of `shared.ports.PartnerCenter` from what is known."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def get(self, referral_id: str) -> Referral:
        referral = _of(self._known.referrals, referral_id.lower())
        if referral is None:
            raise _absent("PC")
        return referral

    def engagement(self, engagement_id: str) -> list[Referral]:
        return _of(self._known.engagements, engagement_id)

    def __getattr__(self, _name: str) -> Any:
        raise Unread


def _of[K, V](known: Mapping[K, V], key: K) -> V:
    if key not in known:
        raise Unread
    return known[key]


def _absent(vendor: str) -> NotFound:
    return NotFound(vendor + "_NOT_FOUND", "It was looked for a moment ago and does not exist.")


class _Sent:
    """Sends of `shared.ports.Queues`, kept. What is to come later is not to be done now."""

    def __init__(self, queue: Queue, hint: Hint) -> None:
        self.waiting = deque([(queue, hint)])

    def send(self, queue: str, hint: Hint, *, delay_s: float = 0.0) -> None:
        if queue in _FOLLOWED and not delay_s:
            self.waiting.append((Queue(queue), hint))


def rehearse(connections: Connections, known: Known, queue: Queue, hint: Hint) -> tuple[str, ...]:
    """What the flow behind `queue` would do, as names of columns, properties and codes; empty when nothing."""
    would: list[str] = []

    def tell(what: str, names: Iterable[str]) -> None:
        would.extend(sorted({*names} - {*_BOOKKEEPING}) or [what])

    sent = _Sent(queue, hint)
    trial = replace(
        connections,
        partner_center=DryPartnerCenter(cast(PartnerCenter, _Referrals(known)), tell),
        dataverse=DryDataverse(cast(Dataverse, _Rows(known)), tell),
        queues=cast(Queues, sent),
        notifications=NoNotifications(),
        dry_run=True,
    )
    while sent.waiting and not would:
        queue, hint = sent.waiting.popleft()
        try:
            FLOWS[queue](hint, trial)
        except (NotYet, DryRun):
            continue  # another flow is at work on it; or told already
        except Unread:
            would = would or [f"more to read for {queue}"]
        except SyncError as error:
            would = would or [error.code]
    return tuple(dict.fromkeys(would))
