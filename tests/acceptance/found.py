"""Counting: rows by a referral's id or a name, and how often functions ran."""

from __future__ import annotations

from sandbox.clients import connection
from tests.acceptance.world import Json, World

CRM_FLOWS = ("dynamics_365_to_partner_center", "create_cosell_referral_dynamics_365_to_partner_center")
"""The functions that write to Partner Center."""


def opportunities_carrying(world: World, referral_id: str) -> list[Json]:
    """The opportunities with this Referral Identifier."""
    return world.seller.find("opportunities", filter=f"cosell_referralidentifier eq '{referral_id}'")


def opportunities_named(world: World, name: str) -> list[Json]:
    """Every opportunity of this name, marked or not."""
    return world.seller.find("opportunities", filter=f"contains(name,'{name}')")


def accounts_named(world: World, name: str) -> list[Json]:
    """Accounts of exactly this name, oldest first."""
    return world.seller.find("accounts", filter=f"name eq '{name}'", orderby="createdon asc")


def closings(world: World, opportunity_id: str) -> list[Json]:
    """The closing activities of an opportunity."""
    return world.seller.find("opportunitycloses", filter=f"_opportunityid_value eq {opportunity_id}")


def runs(world: World, *functions: str) -> int:
    """How often these functions have run since the host started."""
    with connection(world.layout) as http:
        url = f"{world.layout.host_url}/admin/host/invocations"
        tallies = http.get(url, headers={"x-functions-key": world.layout.host_key}, timeout=10).json()
    return sum(int(tallies[name]["invocations"]) for name in functions)
