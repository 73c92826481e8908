"""What must hold once everything is at rest: I1, I2, I3, I8, and the part of I7 that only then shows; by deal.

`tests.chaos.journal` finds the rest while a run goes on. Nothing here changes the world.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.connections import Connections
from shared.domain import classify, incoming
from shared.domain import status as status_table
from shared.domain.opportunity import SOLUTION_TABLE, Opportunity
from shared.domain.referral import Referral
from shared.domain.required import violations as missing_data
from shared.domain.required import wants_help
from shared.domain.rules import RULES
from shared.domain.state import COLUMN, fingerprint, parse
from shared.handlers import opportunities
from tests.chaos import canaries
from tests.fakes.partner_center import OWN_ORGANIZATION

if TYPE_CHECKING:
    from tests.chaos.world import World

_SYNC = "cosell_syncwithpartnercenter"
_REFERRAL_ID = "cosell_referralidentifier"
_COMPARED_ELSEWHERE = ("help", "customer", "name")
"""Cannot be changed at Partner Center once a deal exists."""


def check(world: World) -> list[str]:
    """All sentences about the world as it stands; empty when it is as promised."""
    calm = replace(
        world.connections, dataverse=world.dataverse, partner_center=world.center, queues=world.queues
    )  # fmt: skip
    found = list(_doubles(world))
    for row_id in sorted(world.dataverse.rows.all("opportunity")):
        found += _opportunity(world, calm, opportunities.load(calm, row_id))
    for document in world.center.documents.values():
        if document["organizationId"] == OWN_ORGANIZATION:
            found += _referral(world, calm, world.center.get(document["id"]))
    found += _leads(world)
    found += [f"I7: {sentence}" for sentence in _canaries(world)]
    return found


# -- I2 ----------------------------------------------------------------------------------------------------------------
def _doubles(world: World) -> Iterator[str]:
    own = [d for d in world.center.documents.values() if d["organizationId"] == OWN_ORGANIZATION]
    # A colleague may name an opportunity that is being shared at the same moment; the connector never does it twice.
    made = Counter(str(d.get("externalReferenceId")) for d in own if d["id"] in world.journal.created)
    yield from (f"I2: {count} referrals were created for opportunity {k}" for k, count in made.items() if count > 1)
    rows = world.dataverse.rows
    for table, column in (("opportunity", _REFERRAL_ID), ("lead", _REFERRAL_ID), ("opportunity", "originatingleadid")):
        held = Counter(str(getattr(r.get(column), "id", r.get(column))) for r in rows.all(table).values())
        yield from (
            f"I2: {count} rows of {table} carry {column} {key}"
            for key, count in held.items()
            if key != "None" and count > 1
        )
    pairs = Counter(
        (r["cosell_opportunityid"].id, str(r.get("cosell_solutionid")).upper())
        for r in rows.all(SOLUTION_TABLE).values()
        if r.get("cosell_opportunityid")
    )
    yield from (f"I2: {count} rows of solution {key[1]} on {key[0]}" for key, count in pairs.items() if count > 1)
    open_invitations = Counter(
        d["engagementId"]
        for d in world.center.documents.values()
        if d["organizationId"] == "msft" and d["status"] != "Closed"
    )
    yield from (f"I2: {count} open Microsoft referrals in {k}" for k, count in open_invitations.items() if count > 1)
    for table, parts in (("account", ("name", "address1_postalcode")), ("contact", ("emailaddress1",))):
        same = Counter(tuple(r.get(part) for part in parts) for r in rows.all(table).values())
        yield from (f"I2: {count} rows of {table} for {key[0]}" for key, count in same.items() if count > 1)


# -- I1, I3: opportunities ---------------------------------------------------------------------------------------------
def _opportunity(world: World, calm: Connections, opportunity: Opportunity) -> Iterator[str]:
    if not opportunity.synced:
        return
    name = f"opportunity {opportunity.id}"
    state = opportunity.state
    if state.reservation is not None:
        yield f"I1: {name} is still reserved for a creation that nobody makes"
    if state.outbound and state.status_pc is None:
        yield f"I1: {name} was shared and never completed"
    if state.linking:
        yield f"I1: {name} was created from Partner Center and never completed"
    if opportunity.referral_id is None:
        yield from _unshared(calm, opportunity, name)
        return
    if opportunity.referral_id not in world.center.documents:
        yield f"I3: {name} carries referral {opportunity.referral_id}, which does not exist"
        return
    referral = world.center.get(opportunity.referral_id)
    yield from _standing(world, calm, opportunity, referral, name)
    if opportunity.statecode == 0 and not referral.is_closed:
        yield from _fields(world, calm, opportunity, referral, name)
        yield from _microsoft(calm, opportunity, referral, name)


def _unshared(calm: Connections, opportunity: Opportunity, name: str) -> Iterator[str]:
    reasons = missing_data(opportunity, calm.terms)
    told = opportunity.row.text("cosell_audit") or ""
    if not reasons:
        yield f"I1: {name} is complete and was never shared"
    elif opportunity.statecode == 0 and not all(violation.note.code in told for violation in reasons):
        yield f"I1: {name} cannot be shared ({reasons[0].note}) and nobody was told"


def _standing(
    world: World, calm: Connections, opportunity: Opportunity, referral: Referral, name: str
) -> Iterator[str]:
    pc, crm = status_table.of_referral(referral), status_table.of_opportunity(opportunity, calm.terms)
    told = opportunity.row.text("cosell_audit") or ""
    if pc == "new" and crm != "hold" and not opportunity.state.outbound:
        yield f"I3: {name} is {crm} while its referral {referral.id} still waits for an answer"
    elif pc == "active" and crm != "open":
        yield f"I3: {name} is {crm} while its referral {referral.id} is active"
    elif pc in status_table.TERMINAL and crm in ("open", "hold"):
        if "DEAL_TERMINAL" not in told:
            yield f"I3: {name} is {crm} while its referral {referral.id} is {pc}"
    elif pc in status_table.TERMINAL and (pc == "won") != (crm == "won") and "_TERMINAL" not in told:
        yield f"I3: {name} is {crm}, its referral {referral.id} is {pc}, and nobody was told"


def _fields(world: World, calm: Connections, opportunity: Opportunity, referral: Referral, name: str) -> Iterator[str]:
    terms = calm.terms
    held = status_table.of_referral(referral) == "new"
    for row in terms.mapping.opportunity:
        to_crm, to_pc = row.inbound("update", terms.profile), row.outbound("update", terms.profile)
        if row.rule in _COMPARED_ELSEWHERE or not (to_crm or to_pc):
            continue
        rule = RULES[row.rule]
        pc, crm = rule.from_referral(referral, row, terms), rule.from_opportunity(opportunity, row, terms)
        if rule.independent:
            seen = opportunity.state.seen.get(row.field)  # the sides may differ; what changed here must be dealt with
            if not held and (seen is None or seen.crm != fingerprint(crm)):
                yield f"I3: {row.field} of {name} changed and its referral {referral.id} was never told"
            continue
        if crm in (pc, rule.as_crm(pc, row, terms)):
            continue
        if held and to_pc:
            continue  # a seller's edit waits for the seller's own answer
        if pc is None and row.rule == "stage":
            continue  # Partner Center was never told a stage, Dynamics 365 always has one
        yield f"I3: {row.field} of {name} is {crm!r:.60}, of its referral {referral.id} {pc!r:.60}"


def _microsoft(calm: Connections, opportunity: Opportunity, referral: Referral, name: str) -> Iterator[str]:
    records = calm.partner_center.engagement(referral.engagement_id or "")
    theirs = [record for record in records if record.is_microsofts]
    if wants_help(opportunity, calm.terms) and status_table.of_referral(referral) == "active" and not theirs:
        reasons = missing_data(opportunity, calm.terms)
        if not reasons:
            yield f"I1: {name} asks for Microsoft's help and Microsoft was never asked"
    shown = {record.id.lower(): record for record in theirs}.get((opportunity.microsoft_referral_id or "").lower())
    if theirs and shown is None:
        yield f"I1: {name} does not know Microsoft's referral {theirs[0].id}"
    elif shown is not None:
        for column, value in incoming.microsoft_columns(shown).items():
            if opportunity.row.values.get(column) != value:
                yield f"I3: {column} of {name} is {opportunity.row.values.get(column)!r} instead of {value!r}"


# -- I1: referrals and leads -------------------------------------------------------------------------------------------
def _referral(world: World, calm: Connections, referral: Referral) -> Iterator[str]:
    if referral.is_closed or opportunities.find(calm, referral) is not None:
        return
    rows = world.dataverse.rows
    if rows.equal("lead", _REFERRAL_ID, referral.id):
        return
    if referral.external_reference_id:
        row = rows.get("opportunity", referral.external_reference_id)
        switched_off = row is not None and parse(row.get(COLUMN)).reservation and not row.get(_SYNC)
        if row is None or row.get(_REFERRAL_ID) or switched_off:
            return  # its record was deleted, belongs to another deal, or was switched off while it was being shared
        yield f"I1: referral {referral.id} names opportunity {referral.external_reference_id} and was never linked"
        return
    if classify.wanted(classify.kind(referral), calm.inbound):
        yield f"I1: referral {referral.id} never arrived in Dynamics 365"


def _leads(world: World) -> Iterator[str]:
    for lead in world.dataverse.rows.all("lead").values():
        referral_id = lead.get(_REFERRAL_ID)
        if not referral_id:
            continue
        word = status_table.of_referral(world.center.get(referral_id))
        state = {0: "open", 1: "qualified", 2: "disqualified"}[lead["statecode"]]
        wanted = {"new": ("open",), "active": ("qualified",)}.get(word, ("qualified", "disqualified"))
        deal = world.dataverse.rows.equal("opportunity", _REFERRAL_ID, referral_id)
        if state not in wanted and not (word == "active" and deal):
            yield f"I3: lead {lead['leadid']} is {state} while its referral {referral_id} is {word}"
        if word == "active" and not deal and str(world.center.get(referral_id).external_reference_id) == lead["leadid"]:
            yield f"I1: lead {lead['leadid']} was accepted and has no opportunity"


# -- I7, I8 ------------------------------------------------------------------------------------------------------------
def _canaries(world: World) -> Iterator[str]:
    for table in ("opportunity", "lead"):
        for row_id, row in world.dataverse.rows.all(table).items():
            canary = canaries.found(str(row.get("cosell_audit") or ""))
            if canary:
                yield f"the audit of {table} {row_id} shows {canary}"


def parked(world: World) -> Iterator[str]:
    """I8 for the messages that are set aside at this moment."""
    for message in world.parked:
        if not (message.code and message.sentence and message.remedy):
            yield f"I8: a parked message of {message.queue} has no code, sentence or remedy: {message.code}"
        canary = canaries.found(message.body)
        if canary and message.code != "UNREADABLE_MESSAGE":
            yield f"I7: a parked message of {message.queue} holds {canary}"
