"""A deal that exists in Partner Center only: its opportunity, made or linked, and everything that belongs to it.

The opportunity is created with an id derived from the referral's, so that the same event twice cannot double it, and
carries `linking` until its solutions and the CRM id at Partner Center are in place: a crash in between is completed by
the next event. Only then come ✔ and the one audit line of the creation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from shared.connections import Connections
from shared.domain import amounts, classify, incoming
from shared.domain import status as status_table
from shared.domain.changes import described
from shared.domain.mapping import MappingRow
from shared.domain.opportunity import Opportunity
from shared.domain.plan import merge, settled
from shared.domain.referral import Referral
from shared.domain.row import Lookup
from shared.domain.rules import RULES
from shared.domain.sentences import Note, outcome
from shared.domain.state import COLUMN, Canonical, SyncState
from shared.errors import Conflict
from shared.handlers import customers, related_rows, reservations, trail
from shared.handlers.opportunities import load, write_back
from shared.messages import Hint
from shared.ports import PatchOperation


def create(hint: Hint, connections: Connections, referral: Referral, lead_id: str | None = None) -> str:
    """A new opportunity with account, contact, owner and solutions."""
    terms = connections.terms
    microsofts = microsofts_record(connections, referral)
    customer = customers.match_or_create(connections, referral)
    owner = customers.owner(connections, referral)
    values = {
        **incoming.mapped(referral, terms.mapping.opportunity, terms),
        **incoming.identity(referral, terms),
        **incoming.direction(referral, terms),
        **incoming.standing(referral, terms, microsofts),
        **(incoming.microsoft_columns(microsofts) if microsofts else {}),
        **_help(referral, microsofts, connections),
    }
    if customer.account:
        values |= {"parentaccountid": customer.account, "customerid": customer.account}
    if customer.contact:
        values["parentcontactid"] = customer.contact
        values.setdefault("customerid", customer.contact)
    if owner:
        values["ownerid"] = owner
    if lead_id:
        values["originatingleadid"] = Lookup("lead", lead_id)
    awaiting = status_table.of_referral(referral) == "new" and classify.inbound(referral)
    values["statuscode"] = terms.statuses.on_hold if awaiting else terms.statuses.active
    state = SyncState(
        referral_id=referral.id.lower(),
        engagement_id=referral.engagement_id,
        microsoft_referral_id=microsofts.id.lower() if microsofts else None,
        linking=True,
        status_pc=status_table.of_referral(referral),
        status_crm="hold" if awaiting else "open",
        told={note.code: terms.sentences.sentence(note) for note in customer.notes},
    ).with_seen(incoming.base(referral, terms.mapping.opportunity, terms))
    values[COLUMN] = state.to_json()
    opportunity_id = incoming.row_id("opportunity", referral.id)
    with contextlib.suppress(Conflict):  # another run made it a moment ago; completing it is the same for both
        connections.dataverse.create("opportunity", values, opportunity_id)
    return complete(hint, connections, load(connections, opportunity_id), referral)


def link(hint: Hint, connections: Connections, opportunity: Opportunity, referral: Referral) -> str:
    """Tie an existing opportunity to the referral that names it; from then on both are merged."""
    terms = connections.terms
    attempt = opportunity.state.attempt
    sent = opportunity.state.sent if attempt and reservations.made_under(attempt, referral, connections) else {}
    state = opportunity.state.but(
        referral_id=referral.id.lower(), engagement_id=referral.engagement_id, attempt=None, sent=sent
    )
    plan = merge(state, referral, opportunity, terms)
    columns = {**incoming.identity(referral, terms), **incoming.direction(referral, terms)}
    columns |= {**incoming.standing(referral, terms, None), **incoming.changed(plan.to_crm, referral, terms)}
    related_rows.write(connections, opportunity, plan.to_crm, referral)
    state = settled(state, plan.to_crm, referral, opportunity, terms, side="crm").with_seen(plan.agreed)
    pc, crm = status_table.of_referral(referral), status_table.of_opportunity(opportunity, terms)
    if pc not in status_table.TERMINAL and crm in ("open", "hold"):
        state = state.but(status_pc=pc, status_crm=crm)  # an ending is brought over, or told, by the next look
    state = state.but(etag=referral.e_tag, referral_at=referral.updated_date_time)
    text = [outcome("linked"), *described(plan.to_crm)]
    line = _line(hint, connections, referral, "LINK", True, text)
    write_back(connections, opportunity, state, changes=columns, lines=[line], ok=True, sync_status="in_sync")
    return "linked"


def complete(hint: Hint, connections: Connections, opportunity: Opportunity, referral: Referral) -> str:
    """Whatever a creation still owes: solution rows, the CRM id at Partner Center, then base, audit and ✔.

    `Conflict` when there is more to do: the event of what changed meanwhile may have found no opportunity yet.
    """
    if not opportunity.state.linking:
        raise _changed_meanwhile()
    terms, row = connections.terms, connections.terms.mapping.row("solutions")
    if row is not None and row.inbound("create", terms.profile):
        ids = RULES[row.rule].from_referral(referral, row, terms)
        related_rows.write_solutions(connections, opportunity, ids, referral, keep=True)
    related_rows.save_notes(connections, opportunity, referral)
    if referral.external_reference_id != opportunity.id and not referral.is_closed:
        operation = PatchOperation("replace", "/externalReferenceId", opportunity.id)
        referral = connections.partner_center.patch(referral.id, [operation], referral.e_tag)
    opportunity = load(connections, opportunity.id)
    if not opportunity.state.linking:
        raise _changed_meanwhile()  # another run completed it, perhaps from an older version
    problem, state = amounts.problem(referral, terms), opportunity.state
    problems = [problem] if problem else []
    told = [f"{code}: {sentence}" for code, sentence in state.told.items()]
    text: list[Note | str] = [outcome("opportunity_created"), *told, *amounts.told(referral, terms), *problems]
    state = state.with_seen(_agreed(opportunity, referral, connections, skip_amounts=bool(problems))).but(
        linking=False,
        told={},
        etag=referral.e_tag,
        referral_at=referral.updated_date_time,
    )
    line = _line(hint, connections, referral, "CREATE", not problems, text)
    status = "failed" if problems else "in_sync"
    write_back(connections, opportunity, state, lines=[line], ok=not problems, sync_status=status)
    if classify.inbound(referral):
        facts = {"Referral": terms.link(referral.id.lower()), "Opportunity": opportunity.id}
        connections.notifications.post("A new co-sell deal from Microsoft", opportunity.name, facts)
    if state.status_pc != status_table.of_referral(referral) or merge(state, referral, opportunity, terms).to_crm:
        raise _changed_meanwhile()
    return "created"


def _changed_meanwhile() -> Conflict:
    return Conflict("DEAL_CHANGED_MEANWHILE", "The deal changed while its opportunity was made.", "It is read again.")


def _agreed(
    opportunity: Opportunity, referral: Referral, connections: Connections, *, skip_amounts: bool
) -> dict[str, tuple[Canonical, Canonical]]:
    """The base beyond what was written with the row itself; what either side edited since then differs from that.

    A field that was not brought over and differs now has no base: the next merge decides as for a new link.
    """
    terms = connections.terms
    agreed: dict[str, tuple[Canonical, Canonical]] = {}
    for row in terms.mapping.opportunity:
        if row.field in opportunity.state.seen or (skip_amounts and row.field in ("deal_value", "currency")):
            continue
        rule = RULES[row.rule]
        pc, crm = rule.from_referral(referral, row, terms), rule.from_opportunity(opportunity, row, terms)
        if row.rule == "solutions":
            crm = pc  # their rows were just made; any other is a seller's and still to be sent
        # A choice may have got its default from Dynamics 365; anything else in an unmapped column is a seller's.
        blank = pc is None and (crm is None or row.rule in ("stage", "choice"))
        if (
            blank
            or rule.independent
            or not row.outbound("update", terms.profile)
            or crm in (pc, rule.as_crm(pc, row, terms))
        ):
            agreed[row.field] = (pc, crm)
    return agreed


def microsofts_record(connections: Connections, referral: Referral) -> Referral | None:
    """Microsoft's referral of the same engagement."""
    if not referral.engagement_id:
        return None
    return next((r for r in connections.partner_center.engagement(referral.engagement_id) if r.is_microsofts), None)


def _help(referral: Referral, microsofts: Referral | None, connections: Connections) -> dict[str, object]:
    """The help asked for; Microsoft's record knows it when ours does not say."""
    row: MappingRow | None = connections.terms.mapping.row("help")
    if row is None:
        return {}
    rule, terms = RULES[row.rule], connections.terms
    found = rule.from_referral(referral, row, terms) or (microsofts and rule.from_referral(microsofts, row, terms))
    return {row.column: rule.to_column(found, row, terms)} if found else {}


def _line(
    hint: Hint, connections: Connections, referral: Referral, operation: str, ok: bool, parts: Sequence[Note | str]
) -> str:
    return trail.line(connections, trail.TO_CRM, operation, ok, parts, hint.correlation_id, referral.id)
