"""Sync is switched on again: what Partner Center told meanwhile is looked at, Microsoft's answer among it; no sweep."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.chaos.world import World
from tests.handlers.town import Town


@pytest.mark.parametrize("value", [50000, 61000], ids=["Microsoft's record alone", "both records"])
def test_what_was_told_while_sync_was_off_is_brought_over(value: int) -> None:
    town = Town(World())
    engagement, referral = town.engagement(town.co_sell), town.referral_id(town.co_sell)
    town.center.microsoft(engagement, "Accepted")
    town.rest()
    town.edit(town.co_sell, cosell_syncwithpartnercenter=False)
    town.rest()
    town.center.microsoft(engagement, "Lost")
    if value != town.row(town.co_sell)["estimatedvalue"]:
        town.center.edit_in_portal(referral, details__dealValue=value)
    town.rest()
    assert town.row(town.co_sell)["cosell_microsoftstatus"] == "Accepted"
    town.edit(town.co_sell, cosell_syncwithpartnercenter=True)
    town.rest()
    assert town.row(town.co_sell)["cosell_microsoftstatus"] == "Lost"
    assert town.row(town.co_sell)["estimatedvalue"] == Decimal(value)
    assert town.sweep(all_open_deals=True)[1] == []
