"""Deals in a currency that the CRM does not have, on a whole system in memory: what sellers read, and silence after.

Which amount moves when is decided, and tried case by case, in `tests/unit/test_plan_conversion.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.connections import Connections
from shared.domain.terms import Rates
from shared.handlers import sweep
from tests.chaos.world import World
from tests.contract.deals import deal

FIRST = "70000.00 CHF in Partner Center, which is 78400.00 USD at the rate 1.12"


def _by(rate: str) -> Any:
    def between(connections: Connections) -> Connections:
        rates = Rates("USD", {"CHF": Decimal(rate)})
        return replace(connections, terms=replace(connections.terms, currency_policy="convert", rates=rates))

    return between


@dataclass
class Desk:
    """A deal of 70,000 CHF that arrived, as its seller sees it."""

    world: World
    referral_id: str

    @property
    def row(self) -> dict[str, Any]:
        rows = self.world.dataverse.rows
        (row_id,) = rows.equal("opportunity", "cosell_referralidentifier", self.referral_id)
        return rows.all("opportunity")[row_id]

    @property
    def audit(self) -> list[str]:
        return str(self.row["cosell_audit"]).splitlines()

    @property
    def notes(self) -> list[str]:
        found = self.world.dataverse.rows.all("annotation").values()
        return [row["notetext"] for row in found if row["subject"] == "Converted amount"]

    @property
    def amounts(self) -> tuple[Any, str, Any, str]:
        """Here, then at Partner Center."""
        currencies = self.world.dataverse.rows.all("transactioncurrency")
        code = currencies[self.row["transactioncurrencyid"].id]["isocurrencycode"]
        there = self.world.center.documents[self.referral_id]["details"]
        return self.row["estimatedvalue"], code, there["dealValue"], there["currency"]

    def rests(self) -> None:
        """The nightly comparison finds nothing, and nothing is written."""
        self.world.clock.advance(1200)
        self.world.drain()
        before = len(self.world.journal.writes)
        found = sweep.handle(self.world.connections, timedelta(days=3650), all_open_deals=True)
        assert (found.compared, found.differing, found.hinted) == (1, 0, 0)
        self.world.drain()
        assert len(self.world.journal.writes) == before


@pytest.fixture
def desk() -> Desk:
    world = World(between=_by("1.12"))
    body = deal(externalReferenceId=None)
    body["details"] |= {"dealValue": Decimal(70000), "currency": "CHF"}
    made = Desk(world, world.center.create(body).id)
    world.drain()
    return made


def test_a_deal_arrives_with_its_amount_in_the_base_currency(desk: Desk) -> None:
    assert desk.amounts == (Decimal(78400), "USD", 70000, "CHF")
    assert desk.row["name"].startswith("✔ ")
    assert desk.notes == [FIRST]
    (line,) = desk.audit
    assert f"opportunity created; CURRENCY_CONVERTED: {FIRST}" in line
    desk.rests()


def test_a_new_rate_is_nobodys_change_and_counts_from_the_next_one_on(desk: Desk) -> None:
    desk.world.connections = _by("2")(desk.world.connections)
    desk.rests()
    desk.world.center.edit_in_portal(desk.referral_id, details__dealValue=50000)
    desk.world.drain()
    assert desk.amounts == (Decimal(100000), "USD", 50000, "CHF")
    told = "50000.00 CHF in Partner Center, which is 100000.00 USD at the rate 2"
    assert f"deal_value 78400.00>100000.00; CURRENCY_CONVERTED: {told} |" in desk.audit[0]
    assert sorted(desk.notes) == sorted([FIRST, told])
    desk.rests()


def test_a_sellers_amount_goes_out_in_the_records_currency(desk: Desk) -> None:
    row_id = desk.row["opportunityid"]
    desk.world.dataverse.as_user().update("opportunity", row_id, {"estimatedvalue": Decimal(70000)}, None)
    desk.world.drain()
    assert desk.amounts == (Decimal(70000), "USD", 70000, "USD")
    assert "currency CHF>USD" in desk.audit[0]
    assert "deal_value" not in desk.audit[0], "the number is the same"
    assert desk.notes == [FIRST]
    desk.rests()


def test_a_won_deal_is_won_for_what_stands_in_the_record(desk: Desk) -> None:
    desk.world.connections = _by("2")(desk.world.connections)
    desk.world.center.edit_in_portal(desk.referral_id, status="Closed", substatus="Won")
    desk.world.drain()
    (closing,) = desk.world.dataverse.rows.all("opportunityclose").values()
    assert closing["actualrevenue"] == Decimal(78400)


def test_a_lead_comes_converted_too() -> None:
    world = World(between=_by("1.12"))
    body = deal(externalReferenceId=None)
    body["details"] |= {"dealValue": Decimal(70000), "currency": "CHF"}
    world.center.invite(body, lead=True)
    world.drain()
    (lead,) = world.dataverse.rows.all("lead").values()
    assert lead["estimatedamount"] == Decimal(78400)
    assert f"lead created; CURRENCY_CONVERTED: {FIRST} |" in lead["cosell_audit"]
