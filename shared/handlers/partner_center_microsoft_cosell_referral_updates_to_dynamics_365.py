"""Flow 3: Microsoft's record of a shared deal changed; show Microsoft's answer on our opportunity.

Writes Microsoft's identifier, status and an audit line; never Partner Center, never the opportunity's own state:
Microsoft declining to help does not lose the partner's deal. The columns themselves are the memory: equal means echo.
"""

from __future__ import annotations

from shared.connections import Connections
from shared.domain import audit, classify, incoming
from shared.domain.referral import Referral
from shared.domain.sentences import Note, outcome
from shared.errors import NotFound, NotYet
from shared.handlers import trail
from shared.handlers.opportunities import again_on_conflict, find, refuse_stale, write_back
from shared.messages import Hint


def handle(hint: Hint, connections: Connections) -> str:
    """Bring one Microsoft referral to the opportunity of its engagement."""
    return again_on_conflict(lambda: _read_and_show(hint, connections))


def _read_and_show(hint: Hint, connections: Connections) -> str:
    microsofts = _microsofts(hint, connections)
    if microsofts is None:
        return "Microsoft's referral is not visible"
    if not microsofts.is_microsofts or not microsofts.engagement_id:
        return "not Microsoft's referral"
    own = own_record(connections, microsofts.engagement_id)
    if own is None:
        return "no referral of ours in this engagement"
    return _show(hint, connections, microsofts, own)


def _microsofts(hint: Hint, connections: Connections) -> Referral | None:
    """Microsoft's record by its id, else whichever the engagement shows."""
    try:
        return connections.partner_center.get(hint.row_id)
    except NotFound:
        records = connections.partner_center.engagement(str(hint.engagement_id)) if hint.engagement_id else []
        return next((record for record in records if record.is_microsofts), None)


def own_record(connections: Connections, engagement_id: str) -> Referral | None:
    """Our record of the engagement."""
    organization = connections.terms.organization_id
    records = connections.partner_center.engagement(engagement_id)
    return next((r for r in records if not r.is_microsofts and not r.is_another_partners(organization)), None)


def _show(hint: Hint, connections: Connections, microsofts: Referral, own: Referral) -> str:
    opportunity = find(connections, own)
    if opportunity is None:
        return _missing(connections, microsofts, own)
    if not opportunity.synced:
        return "sync is off"
    if opportunity.state.reservation is not None:
        raise NotYet("CREATION_RESERVED", "The deal is being created.", "It is tried again by itself.")
    if opportunity.state.microsoft_referral_id == microsofts.id.lower():
        refuse_stale(opportunity.state.microsoft_at, microsofts)
    row, columns = opportunity.row, incoming.microsoft_columns(microsofts)
    columns["cosell_dealtype"] = connections.terms.mapping.option("deal_type", "co_sell")
    status, identifier = columns["cosell_microsoftstatus"], columns.get("cosell_microsoftcrmidentifier")
    text, before = [], row.text("cosell_microsoftstatus")
    if status != before:
        first = outcome("microsoft_status_first", new=status)
        text.append(outcome("microsoft_status", old=before, new=status) if before else first)
    if identifier and identifier != row.text("cosell_microsoftcrmidentifier"):
        text.append(outcome("microsoft_identifier"))
    lines = [_line(hint, connections, microsofts, text)] if text else []
    state = opportunity.state.but(microsoft_referral_id=microsofts.id.lower())
    if text:
        state = state.but(microsoft_at=microsofts.updated_date_time)
    return "updated" if write_back(connections, opportunity, state, changes=columns, lines=lines) else "no difference"


def _missing(connections: Connections, microsofts: Referral, own: Referral) -> str:
    """The deal has no opportunity: not wanted, not known, or flow 4 has not made it yet."""
    kind = classify.kind(own, microsofts)
    if own.is_closed or classify.is_lead(kind) or not classify.wanted(kind, connections.inbound):
        return "the deal is not taken into the CRM"
    if own.external_reference_id and not connections.recreate_missing:
        return "CRM_ID_NOT_FOUND: the record the deal names does not exist"
    if connections.review_inbound and classify.inbound(own):
        return "the deal awaits review"  # approving it reads Microsoft's record too
    if connections.dry_run:
        return "the deal's opportunity is not made, as DRY_RUN is on"
    raise NotYet(
        "OPPORTUNITY_PENDING", "The deal's opportunity does not exist yet.", "Look at why its creation failed."
    )


def _line(hint: Hint, connections: Connections, microsofts: Referral, changed: list[Note]) -> str:
    """Names are personal data and stay out; how many sellers Microsoft put on the deal does not."""
    sentences, sellers = connections.terms.sentences, len(microsofts.team)
    about = []
    if sellers:
        about.append(outcome("microsoft_sellers", count=sellers) if sellers > 1 else outcome("microsoft_seller"))
    if microsofts.status_reason:
        about.append(outcome("reason", reason=audit.shown(microsofts.status_reason)))
    text = ", ".join([sentences.told(changed), *map(sentences.sentence, about)])
    return trail.line(connections, trail.TO_CRM, "MICROSOFT", True, [text], hint.correlation_id, microsofts.id)
