"""Somebody typed or imported a Referral Identifier: the deal's own is taken, anything else is refused in words."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.row import Row
from shared.errors import NotFound
from shared.handlers import dynamics_365_to_partner_center as flow_5
from shared.handlers import partner_center_to_dynamics_365 as flow_4
from shared.messages import Hint
from tests.bad_input.pair import Bench, bench
from tests.contract.deals import deal, invitation


def look(made: Bench, opportunity_id: str) -> str:
    hint = Hint(subject="opportunity", id=uuid.UUID(opportunity_id), reason="crm-change")
    return flow_5.handle(hint, made.connections)


def typed_in(made: Bench, referral_id: str, **columns: Any) -> str:
    """An opportunity with this identifier that we never wrote; its id."""
    row_id = str(uuid.uuid4())
    standard = {"name": "Typed in", "cosell_syncwithpartnercenter": True, "cosell_referralidentifier": referral_id}
    made.dataverse.as_user().create("opportunity", {**standard, **columns}, row_id)
    return row_id


def row(made: Bench, opportunity_id: str) -> Row:
    columns = ("name", "cosell_audit", "cosell_syncstate", "estimatedvalue")
    return made.dataverse.as_user().get("opportunity", opportunity_id, columns)


def told(made: Bench, opportunity_id: str) -> str:
    return str(row(made, opportunity_id).text("cosell_audit"))


def test_a_deal_that_names_nobody_is_taken_and_named() -> None:
    made = bench()
    referral = made.partner_center.create(deal(externalReferenceId=None))
    opportunity_id = typed_in(made, referral.id, estimatedvalue=Decimal(70000))
    for _ in range(2):
        look(made, opportunity_id)
    after = made.partner_center.get(referral.id)
    assert after.external_reference_id == opportunity_id
    assert "FAILED" not in told(made, opportunity_id)
    flow_4.handle(Hint(subject="referral", id=uuid.UUID(referral.id), reason="test"), made.connections)
    value = row(made, opportunity_id).values["estimatedvalue"]
    assert value == made.partner_center.get(referral.id).details.deal_value, "both sides hold one value"


def test_a_deal_of_another_opportunity_is_refused_once_and_stays_untouched() -> None:
    made = bench()
    referral = made.partner_center.create(deal(externalReferenceId=None))
    other = typed_in(made, "")
    made.partner_center.edit_in_portal(referral.id, externalReferenceId=other)
    opportunity_id = typed_in(made, referral.id, estimatedvalue=Decimal(1))
    before = made.partner_center.get(referral.id)
    assert [look(made, opportunity_id) for _ in range(2)] == ["refused: REFERRAL_ALREADY_LINKED"] * 2
    assert told(made, opportunity_id).count("REFERRAL_ALREADY_LINKED") == 1
    assert str(row(made, opportunity_id).text("name")).startswith("✖ ")
    assert made.partner_center.get(referral.id) == before
    made.partner_center.edit_in_portal(referral.id, details__dealValue=5)
    said = flow_4.handle(Hint(subject="referral", id=uuid.UUID(referral.id), reason="test"), made.connections)
    assert said.startswith("REFERRAL_ALREADY_LINKED")
    assert row(made, opportunity_id).values["estimatedvalue"] == 1


def test_a_deal_that_names_a_deleted_record_is_taken() -> None:
    made = bench()
    referral = made.partner_center.create(deal())  # its CRM id is nobody's
    opportunity_id = typed_in(made, referral.id)
    look(made, opportunity_id)
    assert made.partner_center.get(referral.id).external_reference_id == opportunity_id


@pytest.mark.parametrize("whose", ["nobody's", "Microsoft's"])
def test_an_identifier_that_is_none_of_ours_is_refused_in_words(whose: str) -> None:
    made = bench()
    own = made.partner_center.create(deal())
    theirs = made.partner_center.create(invitation(own.engagement_id))
    named, code = {
        "nobody's": (str(uuid.uuid4()), "REFERRAL_UNKNOWN"),
        "Microsoft's": (theirs.id, "REFERRAL_NOT_OURS"),
    }[whose]
    opportunity_id = typed_in(made, named)
    assert look(made, opportunity_id) == f"refused: {code}"
    assert code in told(made, opportunity_id)


def test_a_deal_of_ours_that_became_invisible_is_no_typing_error() -> None:
    made = bench()
    referral = made.partner_center.create(deal(externalReferenceId=None))
    flow_4.handle(Hint(subject="referral", id=uuid.UUID(referral.id), reason="test"), made.connections)
    ((opportunity_id, _),) = made.dataverse.rows.all("opportunity").items()
    del made.partner_center.documents[referral.id]
    with pytest.raises(NotFound):
        look(made, opportunity_id)
    assert "REFERRAL_UNKNOWN" not in told(made, opportunity_id)
