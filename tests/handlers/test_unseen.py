"""Events about Microsoft's record of a deal when this identity is not shown that record: what can be known is used."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

import pytest

from shared.domain.referral import Referral
from shared.errors import NotFound, Unavailable
from shared.handlers import partner_center_microsoft_cosell_referral_updates_to_dynamics_365 as flow_3
from shared.handlers import partner_center_to_dynamics_365 as flow_4
from shared.messages import Hint, Queue, parse
from tests.bad_input.pair import Bench, bench
from tests.contract.deals import deal


@dataclass
class Hiding:
    """Partner Center that does not answer for one referral; the list of the engagement may still hold it."""

    inner: Any
    hidden: str = ""
    listed: bool = True

    def get(self, referral_id: str) -> Referral:
        if referral_id == self.hidden:
            raise NotFound("PC_NOT_FOUND", "It is not there.")
        found: Referral = self.inner.get(referral_id)
        return found

    def engagement(self, engagement_id: str) -> list[Referral]:
        return [one for one in self.inner.engagement(engagement_id) if self.listed or one.id != self.hidden]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def world() -> tuple[Bench, Hiding, str]:
    """A deal from Microsoft in the CRM, and the id of Microsoft's record, which is hidden from now on."""
    made = bench()
    hiding = Hiding(made.partner_center)
    made = replace(made, connections=replace(made.connections, partner_center=hiding))
    referral = made.partner_center.invite(deal(externalReferenceId=None))
    flow_4.handle(Hint(subject="referral", id=uuid.UUID(referral.id), reason="referral-created"), made.connections)
    microsofts = next(one for one in made.partner_center.engagement(str(referral.engagement_id)) if one.is_microsofts)
    copied = {"name": "A copy", "cosell_microsoftreferralidentifier": microsofts.id}
    made.dataverse.as_user().create("opportunity", copied, str(uuid.UUID(int=1)))
    made.queues.receive(Queue.MICROSOFT_REFERRAL_UPDATES)
    hiding.hidden = microsofts.id
    return made, hiding, referral.id


def happens(made: Bench, referral_id: str, reason: str = "related-referral-updated") -> str:
    hint = Hint(subject="referral", id=uuid.UUID(referral_id), reason=reason, version=reason)
    return flow_4.handle(hint, made.connections)


def row(made: Bench) -> dict[str, Any]:
    rows = made.dataverse.rows.all("opportunity").values()
    return dict(next(row for row in rows if row["name"] != "A copy"))


@pytest.mark.parametrize("listed", [True, False])
def test_the_deal_that_knows_the_record_is_looked_at_through_its_own(listed: bool) -> None:
    made, hiding, own_id = world()
    hiding.listed = listed
    made.partner_center.edit_in_portal(own_id, details__dealValue=77_000)
    made.partner_center.edit_in_portal(hiding.hidden, status="Closed", substatus="Declined")
    assert happens(made, hiding.hidden) == "Microsoft's referral is not visible; its deal is looked at"
    message = made.queues.receive(Queue.PARTNER_CENTER_EVENTS)
    assert message is not None
    hint = parse(message.body)
    assert hint.row_id == own_id
    flow_4.handle(hint, made.connections)
    assert row(made)["estimatedvalue"] == 77_000
    message = made.queues.receive(Queue.MICROSOFT_REFERRAL_UPDATES)
    assert message is not None
    outcome = flow_3.handle(parse(message.body), made.connections)
    assert outcome == ("updated" if listed else "Microsoft's referral is not visible")
    assert row(made)["cosell_microsoftstatus"] == ("Declined" if listed else "Accepted")


@pytest.mark.parametrize("case", ["nobody knows it", "our own event"])
def test_what_belongs_to_no_deal_we_know_waits_as_before(case: str) -> None:
    made, hiding, _ = world()
    hiding.hidden = hiding.hidden if case == "our own event" else str(uuid.uuid4())
    with pytest.raises(Unavailable, match="REFERRAL_NOT_VISIBLE"):
        happens(made, hiding.hidden, "referral-updated" if case == "our own event" else "related-referral-updated")
    assert made.queues.receive(Queue.PARTNER_CENTER_EVENTS) is None


def test_without_an_engagement_nothing_can_be_searched() -> None:
    made, hiding, _ = world()
    hint = Hint(subject="referral", id=uuid.UUID(hiding.hidden), reason="x")
    assert flow_3.handle(hint, made.connections) == "Microsoft's referral is not visible"
