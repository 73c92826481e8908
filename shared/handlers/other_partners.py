"""Another partner's record of a deal changed: one audit line on our opportunity, and nothing else.

In a deal between partners everybody has a record of their own; only ours is synchronised. The audit is the memory: what
it says of that record already is not said again.
"""

from __future__ import annotations

from shared.connections import Connections
from shared.domain.referral import Referral
from shared.domain.sentences import outcome
from shared.handlers import trail
from shared.handlers.opportunities import find, write_back
from shared.handlers.partner_center_microsoft_cosell_referral_updates_to_dynamics_365 import own_record
from shared.messages import Hint


def note(hint: Hint, connections: Connections, theirs: Referral) -> str:
    """Tell the seller where the other partner stands."""
    own = own_record(connections, theirs.engagement_id) if theirs.engagement_id else None
    opportunity = find(connections, own) if own else None
    if opportunity is None or not opportunity.synced or opportunity.state.reservation is not None:
        return "another partner's referral"
    standing = outcome("partner_status", status=str(theirs.status), substatus=str(theirs.substatus))
    text = connections.terms.sentences.told([standing])
    line = trail.line(connections, trail.TO_CRM, "PARTNER", True, [text], hint.correlation_id, theirs.id)
    reference = line.rpartition(" | ")[2]
    known = (old for old in (opportunity.row.text("cosell_audit") or "").splitlines() if old.endswith(reference))
    if f"| {text} |" in next(known, ""):
        return "another partner's referral, no difference"
    write_back(connections, opportunity, opportunity.state, lines=[line])
    return "another partner's referral"
