"""Created in the CRM: what a seller enters becomes a deal in Partner Center, or is told what is missing (AT-B01 … B23)."""

from __future__ import annotations

import pytest

from sandbox.clients import HELP_PROOF_OF_CONCEPT
from tests.acceptance.profiles import both_profiles
from tests.acceptance.world import REFERRALS, World

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("acceptance-1")]


@both_profiles
def test_AT_B01_complete_co_sell_deal(world: World) -> None:
    """I save a complete deal and ask Microsoft for help: Microsoft is invited and I see that it worked."""
    with world.counting() as pc:
        deal = world.new_deal(help_option=HELP_PROOF_OF_CONCEPT)
        world.settle()

    row, own, invited = world.opportunity(deal), world.own_of(deal), world.microsofts_of(deal)
    assert pc.count("POST", path=REFERRALS) == 2
    assert [(one["type"], one["id"]) for one in own["target"]] == [("SolutionProfile", "SOL-12345-ABC")]
    assert [one["target"] for one in invited] == [[{"type": "BusinessProfileLocation", "id": "msft"}]]
    assert invited[0]["inviteContext"]["assistanceRequestCode"] == "ProofOfConceptOrDemo"
    assert row["cosell_referralidentifier"] == own["id"]
    assert own["id"] in row["cosell_referrallink"]
    assert row["name"].startswith("✔ ")
    assert " OK " in world.audit(deal)[0]
