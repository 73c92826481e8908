"""DRY_RUN on a linked deal: the flow comes to its end, what it would write is told by name, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from shared.dry_run import DryDataverse, DryPartnerCenter
from shared.handlers import dynamics_365_to_partner_center as flow_5
from shared.messages import Hint
from tests.chaos.world import World
from tests.handlers.town import Town


def test_a_change_of_a_linked_deal_is_told_and_the_message_is_done() -> None:
    town, told = Town(World()), dict[str, list[str]]()
    town.unheard(lambda: town.edit(town.private, estimatedvalue=Decimal(65000)))

    def tell(what: str, names: Iterable[str]) -> None:
        told.setdefault(what, []).extend(names)

    real = town.world.connections
    dry = replace(
        real,
        partner_center=DryPartnerCenter(real.partner_center, tell),
        dataverse=DryDataverse(real.dataverse, tell),
        dry_run=True,
    )
    before = town.writes()
    hint = Hint(subject="opportunity", id=UUID(town.private), reason="opportunity-update")
    assert flow_5.handle(hint, dry) == "updated"
    assert told[f"patch referral {town.referral_id(town.private)}"] == ["/details/dealValue", "/details/currency"]
    assert "cosell_audit" in told[f"update opportunity {town.private}"]
    assert town.writes() == before
