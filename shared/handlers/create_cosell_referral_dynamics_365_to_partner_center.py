"""Flow 2: share an opportunity: our own referral, then Microsoft's when help was asked for; or only Microsoft's later.

Partner Center has no idempotency key, so every creation reserves first (decision A4): the reservation goes into the
row under its version; only its holder may POST, and whoever finds an old one looks for the referral before creating
another.
A crash at any step is healed by the next delivery of the message.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.connections import Connections
from shared.domain import incoming, outgoing
from shared.domain import status as status_table
from shared.domain.opportunity import OPEN, Opportunity
from shared.domain.plan import merge
from shared.domain.referral import Referral
from shared.domain.required import violations, wants_help
from shared.domain.rules import RULES
from shared.domain.sentences import ENGLISH, Note, outcome
from shared.domain.state import Canonical, Reservation, Seen, SyncState, fingerprint
from shared.errors import DataProblem, NotFound, Throttled, Unavailable, UnknownOutcome
from shared.handlers import reservations, trail
from shared.handlers.opportunities import again_on_conflict, load, write_back
from shared.messages import Hint, Queue
from shared.ports import PatchOperation

_GRACE = "grace"
"""Reason of the hint that comes back when solutions and contact had their time to follow."""
_CONVERTED = ("help", "visibility", "notes_to_microsoft")
"""Fields that a conversion to co-sell settles."""


def handle(hint: Hint, connections: Connections) -> str:
    """Create what is missing for one opportunity; the result in a word or two."""
    try:
        return again_on_conflict(lambda: _prepare(hint, connections))
    except NotFound:
        return "opportunity is gone"


def _prepare(hint: Hint, connections: Connections) -> str:
    opportunity = load(connections, hint.row_id)
    if not opportunity.synced:
        return "sync is off"
    asks = wants_help(opportunity, connections.terms)
    complete = opportunity.referral_id and (opportunity.microsoft_referral_id or not asks)
    if complete and opportunity.state.reservation is None:
        return "already created"
    if opportunity.referral_id and opportunity.statecode != OPEN:  # too late to ask Microsoft for help
        write_back(connections, opportunity, opportunity.state.but(reservation=None))
        return "closed"
    found = violations(opportunity, connections.terms)
    if found:
        wait = _still_entering(opportunity, connections) if all(v.entering for v in found) else 0
        if wait:
            # One that came too early, as clocks differ, is not taken for the one that it is.
            version = f"{hint.version} again" if hint.reason == _GRACE else opportunity.id
            again = hint.model_copy(update={"reason": _GRACE, "version": version, "attempt": 0})
            connections.queues.send(Queue.CREATE_COSELL_REFERRAL, again, delay_s=wait)
            return "still being entered"
        given_up = opportunity.state.reservation or opportunity.state.attempt
        return _block(hint, connections, opportunity, [violation.note for violation in found], given_up)
    held = opportunity.state.reservation
    reserved, found_own = reservations.reserve(connections, opportunity)
    return _Creation(hint, connections, reserved, found_own, resumed=held is not None).run()


def _still_entering(opportunity: Opportunity, connections: Connections) -> float:
    """Seconds in which solutions and contact may still follow: rows can only be added after the first save."""
    created = opportunity.row.values.get("createdon")
    if not isinstance(created, datetime):
        return 0
    until = created + timedelta(seconds=connections.terms.solution_grace_s)
    return max(0.0, (until - connections.clock()).total_seconds())


def _block(
    hint: Hint,
    connections: Connections,
    opportunity: Opportunity,
    parts: Sequence[Note | str],
    given_up: Reservation | None = None,
) -> str:
    """Say once what is missing; the next change of the deal, its account or its rows tries again.

    `given_up` may have made a referral; without it, what was to be sent never was, and is nobody's base.
    """
    state, known = opportunity.state, fingerprint(ENGLISH.told(parts))
    line = trail.line(connections, trail.TO_PARTNER_CENTER, "CREATE", False, parts, hint.correlation_id, None)
    lines = [] if state.problem == known else [line]
    if not opportunity.referral_id:
        state = state.but(attempt=given_up, sent=state.sent if given_up else {})
    state = state.but(problem=known, reservation=None)
    write_back(connections, opportunity, state, lines=lines, ok=False, sync_status="blocked")
    return "blocked"


@dataclass
class _Creation:
    """One creation under its reservation."""

    hint: Hint
    connections: Connections
    opportunity: Opportunity
    found: Referral | None
    """The own referral, where it was made already; then the one this run made."""
    resumed: bool

    def run(self) -> str:
        try:
            own, microsofts = self._own(), None
            if wants_help(self.opportunity, self.connections.terms):
                own, microsofts = self._microsofts(own)
        except DataProblem as problem:
            return _block(
                self.hint, self.connections, load(self.connections, self.opportunity.id),
                [f"{problem.code}: {problem.detail or problem.sentence}"],
                self.opportunity.state.reservation if self.found else None,
            )  # fmt: skip
        except UnknownOutcome:
            raise  # the reservation stays: whoever comes next looks for the referral first
        except (Throttled, Unavailable):
            again_on_conflict(self._release)
            raise
        again_on_conflict(lambda: self._finish(own, microsofts))
        return "created" if self._first else "converted"

    @property
    def _first(self) -> bool:
        """Whether the deal is being shared now, rather than an existing one converted to co-sell."""
        return self.opportunity.state.status_pc is None

    def _own(self) -> Referral:
        """The own referral: the linked one, one that already carries our id, or a new one."""
        center, opportunity = self.connections.partner_center, self.opportunity
        if opportunity.referral_id:
            return center.get(opportunity.referral_id)
        own = self.found or center.create(outgoing.own_body(opportunity, self.connections.terms))
        self.found = own
        again_on_conflict(lambda: self._link(own))
        return own

    def _link(self, own: Referral) -> None:
        """Write the ids down before anything else can go wrong."""
        opportunity = load(self.connections, self.opportunity.id)
        state = opportunity.state.but(
            referral_id=own.id.lower(),
            engagement_id=own.engagement_id,
            outbound=True,
            etag=own.e_tag,
            referral_at=own.updated_date_time,
        )
        write_back(self.connections, opportunity, state, changes=incoming.identity(own, self.connections.terms))

    def _microsofts(self, own: Referral) -> tuple[Referral, Referral]:
        """Ours, as it then is, and Microsoft's referral of the engagement: an open one that exists, or a new one."""
        center, terms = self.connections.partner_center, self.connections.terms
        if (self.resumed or self.opportunity.referral_id) and own.engagement_id:
            known = [r for r in center.engagement(own.engagement_id) if r.is_microsofts and not r.is_closed]
            if known:
                return own, known[0]
        if self.opportunity.referral_id and own.consent.consent_to_share_referral_with_microsoft_sellers is not True:
            own = self._share(own)
        return own, center.create(outgoing.microsoft_body(self.opportunity, own, terms))

    def _share(self, own: Referral) -> Referral:
        """A private deal must become visible to Microsoft's sellers before they can be asked."""
        path = "/consent/consentToShareReferralWithMicrosoftSellers"
        return self.connections.partner_center.patch(own.id, [PatchOperation("replace", path, True)], own.e_tag)

    def _release(self) -> None:
        """Let the next run begin at once. A creation that has a referral already is still to be completed.

        Its reservation stays, without the lease: the other flows keep away from what is half made, and the next run
        knows the referral for ours. Where there is none, nothing of what was to be sent is anybody's base.
        """
        opportunity, reservation = load(self.connections, self.opportunity.id), None
        state, held = opportunity.state, self.opportunity.state.reservation
        if self._first and held and (opportunity.referral_id or self.found):
            over = self.connections.clock() - timedelta(seconds=self.connections.create_lease_s)
            reservation = held.model_copy(update={"at": over, "run": str(uuid.uuid4())})
        elif self._first:
            state = state.but(sent={})
        write_back(self.connections, opportunity, state.but(reservation=reservation))

    def _finish(self, own: Referral, microsofts: Referral | None) -> None:
        """Base, audit, ✔ and the columns that follow: what was sent is what both sides now agree on."""
        terms, opportunity = self.connections.terms, load(self.connections, self.opportunity.id)
        columns = {
            **incoming.identity(own, terms),
            **incoming.direction(own, terms),
            **incoming.standing(own, terms, microsofts),
        }
        visible = terms.mapping.row("visibility")
        if visible and (microsofts or own.consent.consent_to_share_referral_with_microsoft_sellers):
            columns[visible.column] = terms.mapping.option("visibility", "visible")
        if microsofts:
            columns.update(incoming.microsoft_columns(microsofts))
        state = self._state(opportunity.state, own, microsofts)
        done = ["shared_with_help" if microsofts else "shared"] if self._first else ["help_asked"] if microsofts else []
        parts, run = map(outcome, done), self.hint.correlation_id
        line = trail.line(self.connections, trail.TO_PARTNER_CENTER, "CREATE", True, parts, run, own.id)
        if self._edited(state, own, opportunity):  # flow 5's hint of that edit may have ended here
            edited = self.hint.model_copy(update={"reason": "edited", "attempt": 0})
            self.connections.queues.send(Queue.DYNAMICS_365_TO_PARTNER_CENTER, edited)
        write_back(
            self.connections, opportunity, state, changes=columns, lines=[line], ok=True, sync_status="in_sync"
        )  # fmt: skip

    def _edited(self, state: SyncState, own: Referral, now: Opportunity) -> bool:
        """Whether a seller changed, since the reservation, what flow 5 brings over."""
        terms, then = self.connections.terms, self.opportunity
        standing = [(one.statecode, one.statuscode, wants_help(one, terms)) for one in (then, now)]
        return standing[0] != standing[1] or bool(merge(state, own, now, terms).to_pc)

    def _state(self, state: SyncState, own: Referral, microsofts: Referral | None) -> SyncState:
        """What was sent is the base; what either side edited meanwhile still differs from it and travels next.

        Of a referral that a colleague made, a value that differs is nobody's base: the next merge decides.
        """
        terms = self.connections.terms
        seen: dict[str, tuple[Canonical, Canonical]] = {}
        sent = {f: Seen(pc=v.pc, crm=v.crm) for f, v in state.sent.items()} if self._first else {}
        for row in terms.mapping.opportunity:
            if row.field in sent or (not self._first and row.field not in _CONVERTED):
                continue
            rule = RULES[row.rule]
            pc, crm = rule.from_referral(own, row, terms), rule.from_opportunity(self.opportunity, row, terms)
            if row.rule == "visibility" and microsofts:
                crm = "visible"
            shown_since = row.rule == "visibility" and (pc, crm) == ("not_visible", "visible")
            converted = row.field in _CONVERTED and not shown_since
            settled = rule.independent or not row.outbound("update", terms.profile) or converted
            if settled or crm in (pc, rule.as_crm(pc, row, terms)):
                seen[row.field] = (pc, crm)
        return (
            state.but(seen={**state.seen, **sent}, sent={} if self._first else state.sent)
            .with_seen(seen)
            .but(
                referral_id=own.id.lower(),
                engagement_id=own.engagement_id,
                microsoft_referral_id=microsofts.id.lower() if microsofts else state.microsoft_referral_id,
                etag=own.e_tag,
                referral_at=own.updated_date_time,
                outbound=state.outbound or self._first,
                reservation=None,
                problem=None,
                delay=None,
                **self._standing(own),
            )
        )

    def _standing(self, own: Referral) -> dict[str, str]:
        """The states that are agreed: never an ending, which flow 4 has still to bring over."""
        pc = status_table.of_referral(own)
        if pc in status_table.TERMINAL:
            return {}
        return {"status_pc": pc, "status_crm": status_table.of_opportunity(self.opportunity, self.connections.terms)}
