"""What becomes of a new owner where Partner Center takes no more changes: nothing, and nobody is alarmed."""

from __future__ import annotations

import uuid

from shared.domain.row import Lookup
from shared.handlers import dynamics_365_to_partner_center as flow_5
from shared.handlers import partner_center_to_dynamics_365 as flow_4
from shared.messages import Hint
from tests.bad_input.pair import bench
from tests.contract.deals import deal
from tests.fakes.dataverse import SELLER


def test_a_closed_deal_may_change_hands() -> None:
    made = bench()
    referral = made.partner_center.create(deal(externalReferenceId=None))
    event = Hint(subject="referral", id=uuid.UUID(referral.id), reason="referral-updated")
    flow_4.handle(event, made.connections)
    made.partner_center.edit_in_portal(referral.id, status="Closed", substatus="Won")
    flow_4.handle(event, made.connections)
    ((opportunity_id, before),) = made.dataverse.rows.all("opportunity").items()
    made.dataverse.as_user(SELLER).update(
        "opportunity", opportunity_id, {"ownerid": Lookup("systemuser", SELLER)}, None
    )
    hint = Hint(subject="opportunity", id=uuid.UUID(opportunity_id), reason="crm-change")
    assert flow_5.handle(hint, made.connections) == "closed"
    after = made.dataverse.rows.all("opportunity")[opportunity_id]
    assert after["cosell_audit"] == before["cosell_audit"]
    assert str(after["name"]).startswith("✔ ")
