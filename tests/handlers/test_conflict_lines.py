"""Both sides changed one field and two runs decide it at the same moment: the audit still names both values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared.connections import Connections
from shared.domain.referral import Referral
from shared.handlers import dynamics_365_to_partner_center as flow_5
from shared.handlers import partner_center_to_dynamics_365 as flow_4
from shared.messages import Hint
from shared.ports import PatchOperation
from tests.bad_input.pair import Bench, bench
from tests.contract.deals import deal


@dataclass
class Interrupted:
    """A Partner Center at which somebody else is busy around the first PATCH."""

    port: Any
    before: Callable[[], object] | None = None
    after: Callable[[], object] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)

    def patch(self, referral_id: str, operations: Sequence[PatchOperation], etag: str | None) -> Referral:
        before, after, self.before, self.after = self.before, self.after, None, None
        if before:
            before()
        changed: Referral = self.port.patch(referral_id, operations, etag)
        if after:
            after()
        return changed


def in_conflict() -> tuple[Bench, Hint, Hint]:
    """A shared deal of which both sides changed the value; what tells flow 4 and flow 5 of it."""
    made = bench(CONFLICT_POLICY="crm")
    referral = made.partner_center.create(deal(externalReferenceId=None))
    event = Hint(subject="referral", id=UUID(referral.id), reason="referral-updated", version="1")
    flow_4.handle(event, made.connections)
    (row,) = made.dataverse.as_user().find("opportunity", [], ("name",))
    made.clock.advance(60)
    made.dataverse.as_user().update("opportunity", row.id, {"estimatedvalue": Decimal(72000)}, None)
    made.partner_center.edit_in_portal(referral.id, details__dealValue=61000)
    return made, event, Hint(subject="opportunity", id=UUID(row.id), reason="crm-change", version="1")


def told(made: Bench) -> list[str]:
    (row,) = made.dataverse.as_user().find("opportunity", [], ("cosell_audit",))
    return [line for line in str(row.text("cosell_audit")).splitlines() if "CONFLICT" in line]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("other", ["the same flow", "the other flow"])
def test_whoever_writes_it_down_knows_both_values(other: str, moment: str) -> None:
    made, event, change = in_conflict()
    plain = made.connections

    def meanwhile() -> str:
        return flow_5.handle(change, plain) if other == "the same flow" else flow_4.handle(event, plain)

    center = Interrupted(plain.partner_center, **{moment: meanwhile})
    busy: Connections = replace(plain, partner_center=center)
    for _ in range(2):
        flow_5.handle(change, busy)
        flow_4.handle(event, busy)

    (line,) = told(made)
    assert "72000.00" in line
    assert "61000.00" in line
    (row,) = made.dataverse.as_user().find("opportunity", [], ("estimatedvalue",))
    assert row.values["estimatedvalue"] == 72000
    assert center.after is None
    assert center.before is None, "the other run did come in between"
