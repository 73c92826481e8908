"""Leads of Partner Center: a CRM lead while nobody has accepted, an opportunity as soon as somebody has.

Accepting qualifies the CRM lead, so that the opportunity keeps its origin; a lead closed at Partner Center is
disqualified. What a seller does to the lead in the CRM comes back through flow 5 (`answer`).
"""

from __future__ import annotations

import contextlib
import uuid

from shared.connections import Connections
from shared.domain import amounts, audit, incoming, outgoing
from shared.domain import status as status_table
from shared.domain.opportunity import Opportunity
from shared.domain.referral import Referral
from shared.domain.row import Lookup, Row
from shared.domain.rules import RULES
from shared.domain.sentences import Note, outcome
from shared.domain.state import COLUMN, SyncState
from shared.errors import Conflict, DataProblem, NotFound
from shared.handlers import brake, customers, inbound_deals, trail
from shared.handlers.brake import Direction
from shared.handlers.opportunities import guid, load
from shared.messages import Hint
from shared.ports import Condition, PatchOperation
from shared.row_event import RowEvent

OPEN, QUALIFIED, DISQUALIFIED = 0, 1, 2
CANCELED = 7
COLUMNS = ("subject", "statecode", "statuscode", "cosell_referralidentifier", "cosell_audit", "transactioncurrencyid")


def find(connections: Connections, referral: Referral) -> Row | None:
    """The lead that carries this referral's id, or is named by it."""
    where = [Condition("cosell_referralidentifier", referral.id.lower())]
    rows = connections.dataverse.find("lead", where, COLUMNS, limit=1)
    if rows:
        return rows[0]
    named = guid(referral.external_reference_id)
    if named is None:
        return None
    try:
        lead = connections.dataverse.get("lead", named, COLUMNS)
    except NotFound:
        return None
    return lead if (lead.text("cosell_referralidentifier") or referral.id).lower() == referral.id.lower() else None


def create(hint: Hint, connections: Connections, referral: Referral) -> str:
    """A new lead, and its id at Partner Center."""
    values = incoming.lead(referral, connections.terms)
    done = [outcome("lead_created"), *amounts.told(referral, connections.terms)]
    values["cosell_audit"] = _audit(hint, connections, referral, None, "CREATE", done)
    lead_id = incoming.row_id("lead", referral.id)
    with contextlib.suppress(Conflict):  # another run made it a moment ago
        connections.dataverse.create("lead", values, lead_id)
    _name_record(connections, referral, lead_id)
    return "lead created"


def update(hint: Hint, connections: Connections, lead: Row, referral: Referral) -> str:
    """Follow the referral: accepted → qualify, closed → disqualify, else nothing."""
    state = int(lead.values.get("statecode") or OPEN)
    word = status_table.of_referral(referral)
    if word == "active" and state == DISQUALIFIED:  # accepted there while it was turned down here: the deal lives
        return inbound_deals.create(hint, connections, referral, lead.id)
    if word == "active":
        return _qualify(hint, connections, lead, referral, qualified=state == QUALIFIED)
    if (word in status_table.TERMINAL or referral.is_spam) and state == OPEN:
        if not brake.admits(connections, brake.from_hint(hint, Direction.DYNAMICS_365, referral.id)):
            return brake.HELD_BACK
        text = _audit(hint, connections, referral, lead, "CLOSE", [outcome("lead_ended", pc=(word,))])
        values = {"statecode": DISQUALIFIED, "statuscode": CANCELED, "cosell_audit": text}
        connections.dataverse.update("lead", lead.id, values, lead.etag)
        return "lead disqualified"
    if word == "new" and state != OPEN:  # what a seller decided was never heard of
        return _answer(hint, connections, referral, state)
    if not referral.external_reference_id and not referral.is_closed:
        _name_record(connections, referral, lead.id)
    return "no difference"


def _qualify(hint: Hint, connections: Connections, lead: Row, referral: Referral, *, qualified: bool) -> str:
    """Qualify the lead and turn what came out into the deal's opportunity."""
    customer = customers.match_or_create(connections, referral)
    if qualified:
        where = [Condition("originatingleadid", Lookup("lead", lead.id))]
        rows = connections.dataverse.find("opportunity", where, ("name",), limit=1)
        opportunity_id = rows[0].id if rows else None
    else:
        opportunity_id = _made_opportunity(connections, lead, customer.account or customer.contact)
    if opportunity_id is None:
        return inbound_deals.create(hint, connections, referral)
    opportunity = load(connections, opportunity_id)
    if opportunity.referral_id is not None:
        raise Conflict("LINKED_MEANWHILE", "Another run linked the lead's opportunity.", "It is read again.")
    terms, owner = connections.terms, customers.owner(connections, referral)
    edited = _edited(connections, lead, opportunity)
    taken = [row for row in terms.mapping.opportunity if row.field not in edited]
    values = {
        **incoming.mapped(referral, taken, terms),
        **incoming.identity(referral, terms),
        **incoming.direction(referral, terms),
        **incoming.standing(referral, terms, None),
        **({"parentaccountid": customer.account, "customerid": customer.account} if customer.account else {}),
        **({"parentcontactid": customer.contact} if customer.contact else {}),
        **({"ownerid": owner} if owner else {}),
    }
    state = SyncState(
        referral_id=referral.id.lower(),
        engagement_id=referral.engagement_id,
        linking=True,
        status_pc=status_table.of_referral(referral),
        status_crm=status_table.of_opportunity(opportunity, terms),
    ).with_seen(incoming.base(referral, taken, terms))
    connections.dataverse.update("opportunity", opportunity.id, {**values, COLUMN: state.to_json()}, opportunity.etag)
    inbound_deals.complete(hint, connections, load(connections, opportunity_id), referral)
    return "lead qualified"


def _edited(connections: Connections, lead: Row, opportunity: Opportunity) -> set[str]:
    """Fields in which the opportunity no longer holds what it got from the lead: a seller was quicker than we."""
    terms, source = connections.terms, {row.field: row for row in connections.terms.mapping.lead}
    columns = tuple({row.column for row in source.values()})
    origin = Opportunity(connections.dataverse.get("lead", lead.id, columns))
    found = set()
    for row in terms.mapping.opportunity:
        if row.field in source and row.field != "currency":
            crm = RULES[row.rule].from_opportunity(opportunity, row, terms)
            copied = RULES[row.rule].from_opportunity(origin, source[row.field], terms)
            if crm not in (None, copied):
                found.add(row.field)
    return found


def _made_opportunity(connections: Connections, lead: Row, customer: Lookup | None) -> str:
    """Qualify an open lead; `Conflict` when somebody closed it since it was read."""
    try:
        return connections.dataverse.qualify_lead(
            lead.id, currency=lead.lookup("transactioncurrencyid"), customer=customer
        )
    except DataProblem:
        state = connections.dataverse.get("lead", lead.id, COLUMNS).values.get("statecode")
        if state in (None, OPEN):
            raise
        raise Conflict("LEAD_CLOSED_MEANWHILE", "The lead was closed by somebody else.", "It is read again.") from None


def answer(event: RowEvent, connections: Connections) -> str:
    """A seller qualified or disqualified a lead of ours: accept or decline its referral."""
    referral_id = event.before.get("cosell_referralidentifier")
    state = event.target.get("statecode")
    if event.complete and (not referral_id or state not in (QUALIFIED, DISQUALIFIED)):
        return "no answer to a referral"
    lead = connections.dataverse.get("lead", str(event.row_id), COLUMNS)
    known, state = lead.text("cosell_referralidentifier"), int(lead.values.get("statecode") or OPEN)
    if known is None or state == OPEN:
        return "no answer to a referral"
    referral = connections.partner_center.get(known)
    if status_table.of_referral(referral) != "new":
        return "answered already"
    return _answer(Hint(subject="referral", id=uuid.UUID(known), reason="lead-answered"), connections, referral, state)


def _answer(hint: Hint, connections: Connections, referral: Referral, state: int) -> str:
    if state == DISQUALIFIED:
        if not brake.admits(connections, brake.from_hint(hint, Direction.PARTNER_CENTER, referral.id)):
            return brake.HELD_BACK
        steps = outgoing.status_operations("Closed", "Declined", "Others")
    else:
        steps = outgoing.status_operations("Active", "Accepted", None)
    connections.partner_center.patch(referral.id, [PatchOperation(*step) for step in steps], referral.e_tag)
    return "declined" if state == DISQUALIFIED else "accepted"


def _name_record(connections: Connections, referral: Referral, record_id: str) -> None:
    """The CRM record's id into the referral, unless it is there."""
    if referral.external_reference_id != record_id and not referral.is_closed:
        operation = PatchOperation("replace", "/externalReferenceId", record_id)
        connections.partner_center.patch(referral.id, [operation], referral.e_tag)


def _audit(
    hint: Hint, connections: Connections, referral: Referral, lead: Row | None, operation: str, done: list[Note]
) -> str:
    line = trail.line(connections, trail.TO_CRM, operation, True, done, hint.correlation_id, referral.id)
    return audit.prepend(lead.text("cosell_audit") if lead else None, [line])
