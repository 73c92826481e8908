"""What a delay is decided by: whether anything waits at all, and when a row was changed by somebody else than us."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.changes import unsent
from shared.domain.opportunity import Opportunity
from shared.domain.plan import merge
from shared.domain.state import COLUMN, Delay, SyncState
from tests.unit import pairs

TERMS = pairs.terms()
IN_STEP = pairs.in_step(pairs.referral(), pairs.opportunity(), TERMS)


def row(state: SyncState = IN_STEP, **columns: Any) -> Opportunity:
    return pairs.opportunity({**columns, COLUMN: state.to_json()})


@pytest.mark.parametrize(
    ("columns", "waits"),
    [
        ({}, False),
        ({"description": "Other words."}, True),
        ({"estimatedvalue": None}, True),
        ({"cosell_howcanmicrosofthelp": None}, True),
        ({"name": "Another name"}, False),
        ({"cosell_purchaseintent": 100000001}, False),
        ({"opportunityratingcode": 3}, False),
        ({"statecode": 1, "statuscode": 3}, True),
        ({"statuscode": 2}, True),
        ({"cosell_closereason": 100000002}, False),
    ],
    ids=lambda value: ", ".join(value) or "nothing" if isinstance(value, dict) else "",
)
def test_what_partner_center_would_get_waits(columns: dict[str, Any], waits: bool) -> None:
    assert unsent(row(**columns), TERMS) is waits


def test_a_deal_nobody_shared_yet_waits() -> None:
    assert unsent(row(SyncState()), TERMS)


def test_what_has_no_base_is_nobodys_change() -> None:
    seen = {field: value for field, value in IN_STEP.seen.items() if field != "notes"}
    assert not unsent(row(IN_STEP.but(seen=seen), description="Other words."), TERMS)


def test_what_the_profile_leaves_out_does_not_wait() -> None:
    assert unsent(row(salesstage=3), TERMS)
    assert not unsent(row(salesstage=3), pairs.terms(profile="parity"))


BEFORE, TOLD = pairs.NOW, pairs.NOW + timedelta(minutes=40)
DELAYED = IN_STEP.but(delay=Delay(told_at=TOLD, changed_at=BEFORE))


@pytest.mark.parametrize(
    ("state", "modified", "changed"),
    [
        (IN_STEP, TOLD, TOLD),
        (IN_STEP, None, None),
        (DELAYED, None, None),
        (DELAYED, TOLD, BEFORE),
        (DELAYED, TOLD + timedelta(seconds=60), BEFORE),
        (DELAYED, TOLD + timedelta(seconds=61), TOLD + timedelta(seconds=61)),
        (IN_STEP.but(delay=Delay(told_at=TOLD)), TOLD, None),
    ],
)
def test_telling_of_a_delay_is_no_change(state: SyncState, modified: datetime | None, changed: datetime | None) -> None:
    assert row(state, modifiedon=modified).changed_at == changed


@pytest.mark.parametrize(("told", "winner"), [(True, "Partner Center"), (False, "Dynamics 365")])
def test_the_line_about_a_delay_wins_no_conflict(told: bool, winner: str) -> None:
    between = (BEFORE + timedelta(minutes=10)).isoformat()
    referral = pairs.referral({"details.dealValue": 90000, "updatedDateTime": between})
    state = DELAYED if told else IN_STEP
    plan = merge(state, referral, row(state, estimatedvalue=70000, modifiedon=TOLD), TERMS)
    assert [change.row.field for change in plan.to_crm] == (["deal_value"] if winner == "Partner Center" else [])
    assert [change.row.field for change in plan.to_pc] == ([] if winner == "Partner Center" else ["deal_value"])
