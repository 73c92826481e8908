"""Deals that are gone or odd: no failure, nothing doubled, nothing lost, and the log says why."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from shared.domain.row import Lookup
from shared.handlers import create_cosell_referral_dynamics_365_to_partner_center as flow_2
from shared.handlers import dynamics_365_opportunity_to_partner_center as flow_6
from shared.handlers import dynamics_365_to_partner_center as flow_5
from shared.handlers import partner_center_to_dynamics_365 as flow_4
from shared.messages import Hint, Queue
from shared.row_event import RowEvent
from tests.bad_input.pair import Bench, bench
from tests.contract.deals import deal
from tests.fakes.dataverse import SELLER

NOWHERE = uuid.UUID("0b6f0c1e-1111-4222-8333-444455556666")


def hint(subject: str, record_id: str | uuid.UUID) -> Hint:
    return Hint(subject=subject, id=uuid.UUID(str(record_id)), reason="test")


def linked(world: Bench) -> tuple[str, str]:
    """An inbound deal and its opportunity: their ids."""
    referral = world.partner_center.invite(deal(externalReferenceId=None))
    flow_4.handle(hint("referral", referral.id), world.connections)
    [opportunity_id] = world.dataverse.rows.all("opportunity")
    return referral.id, opportunity_id


# -- gone ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("handle", [flow_5.handle, flow_2.handle], ids=["flow 5", "flow 2"])
def test_a_hint_about_a_deleted_opportunity_ends_quietly(handle: Any) -> None:
    world = bench()
    world.deliver(Queue.DYNAMICS_365_TO_PARTNER_CENTER, hint("opportunity", NOWHERE), handle)
    assert handle(hint("opportunity", NOWHERE), world.connections) == "opportunity is gone"
    assert world.queues.parked() == []
    assert world.queues.next_due_at() is None


def test_a_deleted_opportunity_is_not_made_again_by_a_later_change() -> None:
    world = bench()
    referral_id, opportunity_id = linked(world)
    world.dataverse.as_user(SELLER).delete("opportunity", opportunity_id)
    event = RowEvent(
        message="Delete", table="opportunity", row_id=uuid.UUID(opportunity_id), user_id=SELLER,
        operation_id="1", organization_id="", before={"cosell_referralidentifier": referral_id},
    )  # fmt: skip
    assert flow_6.handle(event, world.connections) == "deleted, referral left as it is"
    world.partner_center.edit_in_portal(referral_id, details__dealValue=99)
    said = flow_4.handle(hint("referral", referral_id), world.connections)
    assert said.startswith("CRM_ID_NOT_FOUND")
    assert world.dataverse.rows.all("opportunity") == {}
    assert world.queues.parked() == []


def test_a_referral_that_nobody_shows_is_tried_again_then_parked_with_its_remedy() -> None:
    world = bench()
    world.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", NOWHERE), flow_4.handle)
    assert world.queues.parked() == []
    while (message := world.queues.receive(Queue.PARTNER_CENTER_EVENTS)) or world.queues.next_due_at():
        if message is None:
            due_at = world.queues.next_due_at()
            assert due_at is not None
            world.clock.set(due_at)
            continue
        world.delivery.run(
            Queue.PARTNER_CENTER_EVENTS,
            message.body.encode(),
            Hint.model_validate_json,
            lambda found: flow_4.handle(found, world.connections),
        )
    [parked] = world.queues.parked()
    assert parked.code == "REFERRAL_NOT_VISIBLE"
    assert "Referrals admin" in parked.remedy
    assert parked.attempt == 7
    assert Hint.model_validate_json(parked.body).row_id == str(NOWHERE)


# -- odd -------------------------------------------------------------------------------------------------------------
ODD: dict[str, dict[str, Any]] = {
    "unknown status": {"status": "Paused", "substatus": "Engaged"},
    "nulls everywhere": {"details": None, "customerProfile": None, "consent": None, "team": None, "name": None},
    "other kinds of value": {
        "details": {"dealValue": "much", "currency": 17, "closingDateTime": "soon", "notes": {"text": "x"}},
        "customerProfile": {"name": ["a"], "address": "somewhere", "team": "nobody", "ids": 3},
    },
    "new members and words": {
        "type": "Consortium",
        "qualification": "Guessed",
        "futureMember": {"deep": [1, {"er": None}]},
        "salesStage": "Haggling",
    },
    "empty lists where objects were": {"details": [], "consent": [], "inviteContext": [], "trackingInfo": []},
    "a huge amount": {"details": {"dealValue": 1e300, "currency": "NOK"}},
}


@pytest.mark.parametrize("oddity", ODD.values(), ids=ODD.keys())
def test_an_odd_referral_arrives_or_is_parked_and_never_fails(oddity: dict[str, Any]) -> None:
    """New in the CRM: one opportunity at most, or one parked message that says what to do."""
    world = bench()
    referral = world.partner_center.invite(deal(externalReferenceId=None))
    _spoil(world, referral.id, oddity)
    for _ in range(2):
        world.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral.id), flow_4.handle)
    assert len(world.dataverse.rows.all("opportunity")) + len(world.queues.parked()) >= 1
    assert len(world.dataverse.rows.all("opportunity")) <= 1
    assert {parked.code for parked in world.queues.parked()} <= {"DV_LIMIT", "DV_REJECTED", "PC_REJECTED"}
    assert all(parked.remedy for parked in world.queues.parked())


@pytest.mark.parametrize("oddity", ODD.values(), ids=ODD.keys())
def test_an_odd_change_of_a_known_deal_takes_nothing_away(oddity: dict[str, Any]) -> None:
    """What cannot be read counts as not given: amounts, dates and customer stay."""
    world = bench()
    referral_id, opportunity_id = linked(world)
    kept = ("estimatedclosedate", "parentaccountid", "transactioncurrencyid", "statecode", "estimatedvalue")
    before = {column: world.dataverse.rows.all("opportunity")[opportunity_id].get(column) for column in kept}
    _spoil(world, referral_id, oddity)
    world.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral_id), flow_4.handle)
    after = world.dataverse.rows.all("opportunity")[opportunity_id]
    assert isinstance(after.get("parentaccountid"), Lookup)
    assert {column: after.get(column) for column in kept} == before
    assert {parked.code for parked in world.queues.parked()} <= {"DV_LIMIT", "DV_REJECTED"}


def _spoil(world: Bench, referral_id: str, oddity: dict[str, Any]) -> None:
    """Put the document as it is behind the fake's own checks, as the service might answer it."""
    world.partner_center._store({**world.partner_center.documents[referral_id], **oddity})
