"""An opportunity that was copied from a shared one: it must not act on the other deal, nor be shared by surprise.

Dataverse refuses a second row with the same Referral Identifier, so a copy arrives without it but with the rest of the
other deal's link. That is taken off and Sync set to No; a seller who wants the copy shared switches Sync on again.
"""

from __future__ import annotations

from shared.connections import Connections
from shared.domain.opportunity import Opportunity
from shared.domain.sentences import outcome
from shared.domain.state import COLUMN
from shared.handlers import trail
from shared.messages import Hint

_LINK = (
    "cosell_referralidentifier",
    "cosell_referrallink",
    "cosell_engagementidentifier",
    "cosell_microsoftreferralidentifier",
    "cosell_microsoftcrmidentifier",
    "cosell_microsoftstatus",
    "cosell_referralstatus",
    "cosell_dealtype",
    "cosell_direction",
    "cosell_respondby",
    "cosell_lastsyncedon",
    COLUMN,
)
"""What belongs to the deal in Partner Center, not to the opportunity."""


def detach(hint: Hint, connections: Connections, opportunity: Opportunity) -> str:
    """Take the other deal's link off the copy; its audit begins anew. Raises `Conflict`."""
    parts, run = [outcome("copy")], hint.correlation_id
    line = trail.line(connections, trail.TO_PARTNER_CENTER, "UNLINK", True, parts, run, None)
    values = {
        **dict.fromkeys(_LINK),
        "name": opportunity.name,
        "cosell_syncwithpartnercenter": False,
        "cosell_syncstatus": connections.terms.mapping.option("sync_status", "not_synced"),
        "cosell_audit": line,
    }
    connections.dataverse.update("opportunity", opportunity.id, values, opportunity.etag)
    return "a copy, unlinked"
