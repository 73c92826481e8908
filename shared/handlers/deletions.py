"""A linked opportunity was deleted. Partner Center has no delete; the policy says what becomes of the referral.

`unlink` (default) leaves the referral as it is: it still names the deleted record, which is the tombstone that keeps a
later change at Partner Center from creating the deal again. `decline` ends it there: New → Declined, Active → Lost.
"""

from __future__ import annotations

from shared.connections import Connections
from shared.domain import outgoing
from shared.domain import status as status_table
from shared.errors import NotFound
from shared.handlers import brake
from shared.messages import Queue
from shared.ports import PatchOperation
from shared.row_event import RowEvent


def handle(event: RowEvent, connections: Connections) -> str:
    """Act on the referral of a deleted opportunity, as far as the message tells which it was."""
    referral_id = event.before.get("cosell_referralidentifier")
    if not isinstance(referral_id, str) or not referral_id:
        return "deleted, was not linked"
    if not connections.decline_deleted:
        return "deleted, referral left as it is"
    try:
        referral = connections.partner_center.get(referral_id)
    except NotFound:
        return "deleted on both sides"
    word = status_table.of_referral(referral)
    if word in status_table.TERMINAL:
        return "deleted, referral was closed"
    again = (Queue.DYNAMICS_365_OPPORTUNITIES, event.essence())
    closing = brake.Closing(brake.Direction.PARTNER_CENTER, referral.id, *again, "deleted")
    if not brake.admits(connections, closing):
        return f"deleted, {brake.HELD_BACK}"
    substatus = "Declined" if word == "new" else "Lost"
    steps = outgoing.status_operations("Closed", substatus, "Others")
    connections.partner_center.patch(referral.id, [PatchOperation(*step) for step in steps], referral.e_tag)
    return f"deleted, referral {substatus.lower()}"
