"""An opportunity names a referral: is it the opportunity's own? Asked as long as we did not write the identifier.

The column is read-only on the form, but an import or a person with rights can fill it. The referral must exist, be our
organisation's record, and not carry the id of another opportunity. What follows from a good one is the merge.
"""

from __future__ import annotations

from shared.connections import Connections
from shared.domain.opportunity import Opportunity
from shared.domain.referral import Referral
from shared.domain.sentences import Note
from shared.domain.state import fingerprint
from shared.errors import NotFound
from shared.handlers import trail
from shared.handlers.opportunities import guid, write_back
from shared.messages import Hint

_UNKNOWN = Note("REFERRAL_UNKNOWN")
_NOT_OURS = Note("REFERRAL_NOT_OURS")
_TAKEN = Note("REFERRAL_ALREADY_LINKED")


def read(connections: Connections, opportunity: Opportunity) -> Referral | Note:
    """The referral, or why it is not this opportunity's."""
    ours = opportunity.state.referral_id is not None
    try:
        referral = connections.partner_center.get(str(opportunity.referral_id))
    except NotFound:
        if ours:
            raise
        return _UNKNOWN
    if ours:
        return referral
    if referral.is_microsofts or referral.is_another_partners(connections.terms.organization_id):
        return _NOT_OURS
    return _TAKEN if taken(connections, opportunity, referral) else referral


def taken(connections: Connections, opportunity: Opportunity, referral: Referral) -> bool:
    """Whether the referral names another opportunity, and this one only claims it."""
    named = guid(referral.external_reference_id)
    if opportunity.state.referral_id is not None or named in (None, opportunity.id):
        return False
    try:
        connections.dataverse.get("opportunity", str(named), ("name",))
    except NotFound:
        return False
    return True


def refuse(hint: Hint, connections: Connections, opportunity: Opportunity, why: Note) -> str:
    """Tell the seller, once."""
    state, known = opportunity.state, fingerprint(str(why))
    line = trail.line(connections, trail.TO_PARTNER_CENTER, "LINK", False, [why], hint.correlation_id, None)
    lines = [] if state.problem == known else [line]
    write_back(connections, opportunity, state.but(problem=known), lines=lines, ok=False, sync_status="failed")
    return f"refused: {why.code}"
