"""What several acceptance tests ask of a deal, and the option values of `infra/dataverse/schema.toml` in words."""

from __future__ import annotations

from tests.acceptance.simulators import Json
from tests.acceptance.world import World

NOT_VISIBLE, VISIBLE = 100000000, 100000001
PRIVATE, PARTNER_LED, CO_SELL = 100000000, 100000001, 100000002
IN_SYNC, BLOCKED = 100000002, 100000004


def solution_ids(referral: Json) -> list[str]:
    """The ids of a referral's solutions, sorted."""
    return sorted(one["id"] for one in referral["details"]["requirements"]["solutions"])


def is_marked(world: World, deal: str, mark: str) -> bool:
    """Whether the deal's name begins with the mark."""
    name: str = world.opportunity(deal)["name"]
    return name.startswith(f"{mark} ")


def assert_blocked(world: World, deal: str, *codes: str) -> str:
    """Nothing was shared, and the newest audit line names every code; that line."""
    row, audit = world.opportunity(deal), world.audit(deal)
    assert world.owns_of(deal) == []
    assert row["cosell_referralidentifier"] is None
    assert row["name"].startswith("✖ ")
    assert row["cosell_syncstatus"] == BLOCKED
    assert len(audit) == 1
    assert " FAILED " in audit[0]
    assert all(code in audit[0] for code in codes)
    return audit[0]


def assert_shared(world: World, deal: str) -> None:
    """The deal is in Partner Center once, and its row says so."""
    row, own = world.opportunity(deal), world.own_of(deal)
    assert row["cosell_referralidentifier"] == own["id"]
    assert own["id"] in row["cosell_referrallink"]
    assert row["cosell_engagementidentifier"] == own["engagementId"]
    assert row["name"].startswith("✔ ")
    assert row["cosell_syncstatus"] == IN_SYNC
    assert " OK " in world.audit(deal)[0]
