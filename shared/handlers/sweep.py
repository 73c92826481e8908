"""Reconciliation: what no event told us. Compares both systems in bulk and sends a hint for each pair with work to do.

Partner Center drops an event for good after ten failed deliveries, and Dataverse may lose a job: this is what makes
both harmless. Referrals come in pages of a hundred, opportunities in batches (`pairs`); whether anything is left to do
is found by rehearsing the flows on what was read (`rehearsal`). A healthy system gets neither a hint nor a write.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched, chain

from shared.connections import Connections
from shared.domain.opportunity import OPEN
from shared.domain.referral import Referral
from shared.errors import NotFound
from shared.handlers import leads
from shared.handlers.forwarding import SWEEP
from shared.handlers.opportunities import guid
from shared.handlers.pairs import Pairs
from shared.handlers.rehearsal import rehearse
from shared.messages import Hint, Queue
from shared.ports import Condition

_log = logging.getLogger("cosell.sweep")
_PAGE = 100
"""Pairs in memory at a time; a page of Partner Center's."""
_MOST = 1_000_000
"""More than any pipeline holds: everything is meant."""


@dataclass(frozen=True)
class Work:
    """What is left to do for one pair: the hint that gets it done, and what differs, as names without values."""

    queue: Queue
    hint: Hint
    differs: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """One pair, or the half of it that exists."""

    referral_id: str | None
    opportunity_id: str | None
    work: tuple[Work, ...] = ()


@dataclass
class Sum:
    """What a sweep found so far."""

    compared: int = 0
    differing: int = 0
    hinted: int = 0

    def __str__(self) -> str:
        return f"{self.compared} compared, {self.differing} with a difference, {self.hinted} hints"


def handle(
    connections: Connections,
    look_back: timedelta,
    *,
    all_open_deals: bool = False,
    send: bool = True,
    each: Callable[[Compared], None] = lambda compared: None,
) -> Sum:
    """Compare everything changed within `look_back` on either side, and send hints for what differs.

    `all_open_deals`: besides, every deal that is open on either side, however long ago it was changed.
    """
    since = connections.clock() - look_back
    found = settle(connections, compare(connections, since, all_open_deals=all_open_deals), send=send, each=each)
    _log.info("sweep since %s: %s", since.isoformat(), found)
    return found


def settle(connections: Connections, pairs: Iterable[Compared], *, send: bool, each: Callable[[Compared], None]) -> Sum:
    """Send the hints of `pairs` as they come, tell `each` of every one, and count."""
    found = Sum()
    for compared in pairs:
        found.compared += 1
        found.differing += bool(compared.work)
        for work in compared.work if send else ():
            connections.queues.send(work.queue, work.hint)
            found.hinted += 1
        each(compared)
    return found


def compare(connections: Connections, since: datetime, *, all_open_deals: bool = False) -> Iterator[Compared]:
    """Every pair once, as it is read: by its referral, else by its opportunity, else by its lead."""
    run = _Run(connections)
    center = connections.partner_center
    listed = chain(center.updated_since(since), center.still_open() if all_open_deals else ())
    for referrals in batched(run.new(listed), _PAGE, strict=False):
        yield from run.referrals(referrals)
    for opportunity_ids in batched(
        run.unseen(_opportunities(connections, None if all_open_deals else since)), _PAGE, strict=False
    ):
        yield from run.opportunities(opportunity_ids)
    for referrals in batched(run.new(_answered(connections, since, run.seen)), _PAGE, strict=False):
        yield from run.referrals(referrals)


def compare_referral(connections: Connections, referral_id: str) -> Iterator[Compared]:
    """One pair by its referral; `NotFound` when Partner Center does not show it."""
    yield from _Run(connections).referrals([connections.partner_center.get(referral_id)])


def compare_opportunity(connections: Connections, opportunity_id: str) -> Iterator[Compared]:
    """One pair by its opportunity; `NotFound` when it does not exist."""
    connections.dataverse.get("opportunity", opportunity_id, ("statecode",))
    yield from _Run(connections).opportunities([opportunity_id])


def _opportunities(connections: Connections, since: datetime | None) -> Iterator[str]:
    """Ids of the shared opportunities that were changed since then; None: of those that are open."""
    changed = Condition("modifiedon", since, "ge") if since else Condition("statecode", OPEN)
    where = [Condition("cosell_syncwithpartnercenter", True), changed]
    rows = connections.dataverse.find("opportunity", where, ("statecode",), order_by="modifiedon asc", limit=_MOST)
    return (row.id for row in rows)


def _answered(connections: Connections, since: datetime, seen: set[str]) -> Iterator[Referral]:
    """Referrals of the leads that a seller has answered, which Partner Center may not have heard of."""
    where = [
        Condition("cosell_referralidentifier", None, "ne"),
        Condition("modifiedon", since, "ge"),
        Condition("statecode", leads.OPEN, "ne"),
    ]
    rows = connections.dataverse.find(
        "lead", where, ("cosell_referralidentifier",), order_by="modifiedon asc", limit=_MOST
    )
    for row in rows:
        known = guid(row.text("cosell_referralidentifier"))
        if known and known not in seen:
            try:
                yield connections.partner_center.get(known)
            except NotFound:
                _log.warning("referral %s of lead %s is not visible", known, row.id)


@dataclass
class _Run:
    """One sweep: what it has seen, by id."""

    connections: Connections
    seen: set[str] = field(default_factory=set)

    def new(self, referrals: Iterable[Referral]) -> Iterator[Referral]:
        """Those that were not compared yet."""
        for referral in referrals:
            if referral.id.lower() not in self.seen:
                self.seen.add(referral.id.lower())
                yield referral

    def unseen(self, row_ids: Iterable[str]) -> Iterator[str]:
        return (row_id for row_id in row_ids if row_id not in self.seen)

    def referrals(self, referrals: Iterable[Referral]) -> Iterator[Compared]:
        """A page of referrals with what belongs to them."""
        asked = list(referrals)
        pairs = Pairs(self.connections)
        listed = {referral.id.lower() for referral in asked}
        for referral in pairs.read_referrals(asked):
            if referral.id.lower() in listed or referral.id.lower() not in self.seen:
                yield self._pair(pairs, referral)
        for referral in asked:
            if not pairs.is_ours(referral) and not referral.is_microsofts:
                work = self._work(pairs, Queue.PARTNER_CENTER_EVENTS, "referral", referral.id)
                yield Compared(referral.id.lower(), None, tuple(work))

    def opportunities(self, opportunity_ids: Iterable[str]) -> Iterator[Compared]:
        """A page of opportunities with what belongs to them."""
        asked = list(opportunity_ids)
        pairs = Pairs(self.connections)
        pairs.read_opportunities(asked)
        for opportunity_id in asked:
            referral = pairs.referral_of(opportunity_id)
            if referral is not None:
                yield self._pair(pairs, referral)
            elif opportunity_id not in self.seen:
                self.seen.add(opportunity_id)
                work = self._work(pairs, Queue.DYNAMICS_365_TO_PARTNER_CENTER, "opportunity", opportunity_id)
                yield Compared(None, opportunity_id, tuple(work))

    def _pair(self, pairs: Pairs, referral: Referral) -> Compared:
        """Flow 4 for the referral, flow 5 for its opportunity, flow 3 where nobody knows of Microsoft's record yet."""
        work = self._work(pairs, Queue.PARTNER_CENTER_EVENTS, "referral", referral.id)
        opportunity = pairs.opportunity_of(referral)
        self.seen.add(referral.id.lower())
        if opportunity is None:
            return Compared(referral.id.lower(), None, tuple(work))
        self.seen.add(opportunity.id)
        work += self._work(pairs, Queue.DYNAMICS_365_TO_PARTNER_CENTER, "opportunity", opportunity.id)
        microsofts = pairs.microsofts_of(referral)
        if microsofts and opportunity.microsoft_referral_id is None:
            work += self._work(pairs, Queue.MICROSOFT_REFERRAL_UPDATES, "referral", microsofts[-1].id)
        return Compared(referral.id.lower(), opportunity.id, tuple(work))

    def _work(self, pairs: Pairs, queue: Queue, subject: str, row_id: str) -> list[Work]:
        known = guid(row_id)
        if known is None:
            return []
        version = self.connections.clock().strftime("%Y-%m-%dT%H:%M")  # two sweeps within a minute are one
        hint = Hint(subject=subject, id=uuid.UUID(known), reason=SWEEP, version=version)
        differs = rehearse(self.connections, pairs.known, queue, hint)
        return [Work(queue, hint, differs)] if differs else []
