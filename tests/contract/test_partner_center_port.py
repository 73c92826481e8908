"""The port `PartnerCenter`, on the fake and on the real client against the simulator."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox.clients import PartnerCenterPortal
from shared.domain.referral import Referral
from shared.errors import AuthorizationError, Bug, Conflict, DataProblem, NotFound
from shared.ports import PartnerCenter, PatchOperation
from tests.contract.cloud import Cloud
from tests.contract.deals import deal, invitation, member
from tests.fakes.clock import VirtualClock
from tests.fakes.partner_center import OWN_ORGANIZATION, FakePartnerCenter


class Bench:
    """The port under test, a colleague in the portal, and Microsoft."""

    port: PartnerCenter

    def edit(self, referral_id: str, **details: Any) -> None:
        """The colleague changes members of `details`."""
        raise NotImplementedError  # the fake's bench and the simulator's each have their way

    def invite(self) -> str:
        """Microsoft sends a deal; the id of our referral."""
        raise NotImplementedError  # the fake's bench and the simulator's each have their way

    def accept(self, engagement_id: str, msx_id: str) -> None:
        """Microsoft accepts our invitation."""
        raise NotImplementedError  # the fake's bench and the simulator's each have their way

    def later(self) -> datetime:
        """A moment after everything written so far and before everything to come."""
        raise NotImplementedError  # the fake's bench and the simulator's each have their way


@dataclass
class FakeBench(Bench):
    port: FakePartnerCenter
    clock: VirtualClock

    def edit(self, referral_id: str, **details: Any) -> None:
        self.port.edit_in_portal(referral_id, **{f"details__{name}": value for name, value in details.items()})

    def invite(self) -> str:
        body = deal()
        del body["externalReferenceId"]
        return self.port.invite(body).id

    def accept(self, engagement_id: str, msx_id: str) -> None:
        self.port.microsoft(engagement_id, "Accepted", msx_id=msx_id)

    def later(self) -> datetime:
        self.clock.advance(2)
        moment = self.clock()
        self.clock.advance(2)
        return moment


@dataclass
class ClientBench(Bench):
    port: PartnerCenter
    cloud: Cloud
    portal: PartnerCenterPortal

    def edit(self, referral_id: str, **details: Any) -> None:
        self.portal.edit(referral_id, {"details": details})

    def invite(self) -> str:
        return str(self.portal.inbound()["id"])

    def accept(self, engagement_id: str, msx_id: str) -> None:
        self.portal.microsoft(engagement_id, "accept", msx_id=msx_id)

    def later(self) -> datetime:
        address = self.cloud.layout.partner_center_url
        ahead = self.cloud.control("POST", address, "/clock", {"advance_s": 2}).json()
        self.cloud.control("POST", address, "/clock", {"advance_s": 2})
        return datetime.fromisoformat(ahead["now"])


@pytest.fixture(params=["fake", "client"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "fake":
        clock = VirtualClock()
        yield FakeBench(FakePartnerCenter(clock), clock)
        return
    cloud: Cloud = request.getfixturevalue("cloud")
    port = cloud.partner_center
    cloud.control("POST", cloud.layout.partner_center_url, "/reset")
    portal = PartnerCenterPortal(cloud.layout)
    yield ClientBench(port, cloud, portal)
    portal.close()


def replace(path: str, value: Any) -> PatchOperation:
    return PatchOperation("replace", path, value)


def ids(referrals: Any) -> list[str]:
    return [referral.id for referral in referrals]


CLOSE = [replace("/status", "Closed"), replace("/substatus", "Won")]


# create ---------------------------------------------------------------------------------------------------------------
def test_a_new_deal_is_accepted_from_birth_and_ours(bench: Bench) -> None:
    body = deal()
    created = bench.port.create(body)
    assert (created.status, created.substatus) == ("Active", "Accepted")
    assert created.organization_id == OWN_ORGANIZATION
    assert not created.is_microsofts
    assert created.engagement_id
    assert created.e_tag
    assert created.external_reference_id == body["externalReferenceId"]
    assert created.details.deal_value == Decimal("84500.55")
    assert created.details.notes == body["details"]["notes"]
    assert created.details.closing_date_time == datetime(2027, 6, 30, tzinfo=UTC)
    assert created.accepted_date_time is not None
    assert bench.port.get(created.id) == created


@pytest.mark.parametrize("missing", ["type", "customerProfile", "consent", "details", "team", "name"])
def test_an_incomplete_deal_is_refused(bench: Bench, missing: str) -> None:
    body = deal()
    del body[missing]
    with pytest.raises(DataProblem) as caught:
        bench.port.create(body)
    assert caught.value.code == "PC_REJECTED"
    assert caught.value.detail, "the vendor's own words are for the audit line"
    assert "Northgate" not in str(caught.value)


def test_inviting_microsoft_makes_a_second_referral_of_the_same_deal(bench: Bench) -> None:
    own = bench.port.create(deal())
    theirs = bench.port.create(invitation(own.engagement_id))
    assert theirs.is_microsofts
    assert (theirs.status, theirs.substatus) == ("New", "Pending")
    assert theirs.expiration_date_time is not None
    both = bench.port.engagement(own.engagement_id or "")
    assert sorted(ids(both)) == sorted([own.id, theirs.id])
    assert [referral.id for referral in both if referral.is_microsofts] == [theirs.id]
    with pytest.raises(DataProblem):
        bench.port.create(invitation(own.engagement_id))


@pytest.mark.parametrize("reason", ["unknown engagement", "not shared", "closed"])
def test_microsoft_cannot_be_invited_into_anything(bench: Bench, reason: str) -> None:
    body = deal()
    if reason == "not shared":
        body["consent"]["consentToShareReferralWithMicrosoftSellers"] = False
    own = bench.port.create(body)
    if reason == "closed":
        bench.port.patch(own.id, CLOSE, own.e_tag)
    engagement = str(uuid.uuid4()) if reason == "unknown engagement" else own.engagement_id
    with pytest.raises(DataProblem):
        bench.port.create(invitation(engagement))


# read -----------------------------------------------------------------------------------------------------------------
def test_an_unknown_referral_is_not_found(bench: Bench) -> None:
    with pytest.raises(NotFound):
        bench.port.get(str(uuid.uuid4()))


def test_an_unknown_engagement_has_no_referrals(bench: Bench) -> None:
    assert bench.port.engagement(str(uuid.uuid4())) == []


def test_an_inbound_deal_waits_for_an_answer(bench: Bench) -> None:
    referral = bench.port.get(bench.invite())
    assert (referral.status, referral.substatus) == ("New", "Pending")
    assert referral.invite_context.invited_by.organization_id == "msft"
    assert not referral.is_microsofts, "it is our record of Microsoft's deal"
    both = bench.port.engagement(referral.engagement_id or "")
    assert sorted(one.is_microsofts for one in both) == [False, True]


def test_what_changed_since_comes_oldest_first_and_once(bench: Bench) -> None:
    first, second = bench.port.create(deal()), bench.port.create(deal())
    moment = bench.later()
    third = bench.port.create(deal())
    bench.later()
    bench.port.patch(first.id, [replace("/details/notes", "changed")], None)
    assert ids(bench.port.updated_since(moment)) == [third.id, first.id]
    assert second.id in ids(bench.port.updated_since(moment - timedelta(hours=1)))
    assert ids(bench.port.updated_since(bench.later())) == []


def test_what_is_still_open_comes_once(bench: Bench) -> None:
    closed, accepted = bench.port.create(deal()), bench.port.create(deal())
    invited = bench.invite()
    bench.port.patch(closed.id, CLOSE, closed.e_tag)
    found = ids(bench.port.still_open())
    assert {accepted.id, invited} <= set(found)
    assert closed.id not in found
    assert len(found) == len(set(found))
    assert not any(one.is_microsofts for one in bench.port.still_open())


def test_several_engagements_are_read_with_microsofts_records(bench: Bench) -> None:
    alone, shared, other = (bench.port.create(deal()) for _ in range(3))
    theirs = bench.port.create(invitation(shared.engagement_id))
    asked = [alone.engagement_id or "", shared.engagement_id or "", str(uuid.uuid4()), alone.engagement_id or ""]
    found = ids(bench.port.engagements(asked))
    assert sorted(found) == sorted([alone.id, shared.id, theirs.id])
    assert other.id not in found
    assert bench.port.engagements([]) == []


def test_a_change_at_the_very_moment_counts(bench: Bench) -> None:
    created = bench.port.create(deal())
    assert created.updated_date_time is not None
    assert ids(bench.port.updated_since(created.updated_date_time)) == [created.id]


def test_a_deal_is_found_by_its_crm_id(bench: Bench) -> None:
    before = bench.later()
    body = deal()
    created, _ = bench.port.create(body), bench.port.create(deal())
    crm_id = body["externalReferenceId"]
    assert ids(bench.port.find_by_external_reference(crm_id, before)) == [created.id]
    assert ids(bench.port.find_by_external_reference(crm_id.upper(), before)) in ([created.id], [])
    assert bench.port.find_by_external_reference(str(uuid.uuid4()), before) == []
    assert bench.port.find_by_external_reference(crm_id, bench.later()) == []


# patch ----------------------------------------------------------------------------------------------------------------
def test_a_patch_answers_the_new_version(bench: Bench) -> None:
    created = bench.port.create(deal())
    operations = [
        replace("/details/dealValue", Decimal("91000.10")),
        replace("/details/closingDateTime", datetime(2027, 7, 31, tzinfo=UTC)),
        replace("/name", "Renamed"),
        replace("/salesStage", "40"),
        PatchOperation("add", "/team/-", member("Maja", "Lien")),
    ]
    changed = bench.port.patch(created.id, operations, created.e_tag)
    assert changed.details.deal_value == Decimal("91000.10")
    assert changed.details.closing_date_time == datetime(2027, 7, 31, tzinfo=UTC)
    assert (changed.name, changed.sales_stage) == ("Renamed", "40")
    assert [one.first_name for one in changed.team] == ["Aksel", "Maja"]
    assert changed.e_tag != created.e_tag
    assert bench.port.get(created.id) == changed


def test_an_older_version_is_a_conflict_and_changes_nothing(bench: Bench) -> None:
    created = bench.port.create(deal())
    bench.edit(created.id, notes="a colleague's")
    with pytest.raises(Conflict) as caught:
        bench.port.patch(created.id, [replace("/details/notes", "mine")], created.e_tag)
    assert caught.value.code == "PC_VERSION"
    assert bench.port.get(created.id).details.notes == "a colleague's"


def test_without_an_etag_the_last_writer_wins(bench: Bench) -> None:
    created = bench.port.create(deal())
    bench.edit(created.id, notes="a colleague's", dealValue=1)
    changed = bench.port.patch(created.id, [replace("/details/notes", "mine")], None)
    assert changed.details.notes == "mine"
    assert changed.details.deal_value == 1


def test_accepting_with_the_crm_id(bench: Bench) -> None:
    referral = bench.port.get(bench.invite())
    crm_id = str(uuid.uuid4())
    operations = [
        replace("/externalReferenceId", crm_id),
        replace("/status", "Active"),
        replace("/substatus", "Accepted"),
    ]
    accepted = bench.port.patch(referral.id, operations, referral.e_tag)
    assert (accepted.status, accepted.substatus, accepted.external_reference_id) == ("Active", "Accepted", crm_id)
    assert accepted.accepted_date_time is not None


def test_closed_is_the_end(bench: Bench) -> None:
    created = bench.port.create(deal())
    closed = bench.port.patch(created.id, [replace("/details/notes", "last words"), *CLOSE], created.e_tag)
    assert (closed.is_closed, closed.substatus, closed.details.notes) == (True, "Won", "last words")
    assert closed.closed_date_time is not None
    for operations in ([replace("/details/notes", "more")], [replace("/status", "Active")]):
        with pytest.raises(DataProblem):
            bench.port.patch(created.id, operations, None)


@pytest.mark.parametrize(
    ("status", "substatus"),
    [
        ("Active", "Won"),
        ("Closed", "Accepted"),
        ("New", "Pending"),
        ("Closed", "Expired"),
        ("Active", "Pending"),
        ("Open", "Accepted"),
    ],
)
def test_pairs_and_moves_off_the_table_are_refused(bench: Bench, status: str, substatus: str) -> None:
    created = bench.port.create(deal())
    with pytest.raises(DataProblem):
        bench.port.patch(created.id, [replace("/status", status), replace("/substatus", substatus)], created.e_tag)
    assert bench.port.get(created.id).e_tag == created.e_tag, "nothing of it was applied"


def test_sharing_cannot_be_taken_back(bench: Bench) -> None:
    body = deal()
    body["consent"]["consentToShareReferralWithMicrosoftSellers"] = False
    created = bench.port.create(body)
    share = "/consent/consentToShareReferralWithMicrosoftSellers"
    shared = bench.port.patch(created.id, [replace(share, True)], created.e_tag)
    assert shared.consent.consent_to_share_referral_with_microsoft_sellers is True
    with pytest.raises(DataProblem):
        bench.port.patch(created.id, [replace(share, False)], shared.e_tag)


def test_microsofts_referral_is_not_ours_to_change(bench: Bench) -> None:
    own = bench.port.create(deal())
    theirs = bench.port.create(invitation(own.engagement_id))
    with pytest.raises(AuthorizationError) as caught:
        bench.port.patch(theirs.id, [replace("/details/notes", "mine")], theirs.e_tag)
    assert caught.value.code == "PC_FORBIDDEN"


def test_an_unknown_referral_cannot_be_changed(bench: Bench) -> None:
    with pytest.raises(NotFound):
        bench.port.patch(str(uuid.uuid4()), [replace("/details/notes", "x")], None)


def test_microsofts_answer_is_read_with_its_crm_id(bench: Bench) -> None:
    own = bench.port.create(deal())
    bench.port.create(invitation(own.engagement_id))
    bench.accept(own.engagement_id or "", "7-2QXK4ZB7PA")
    theirs: Referral = next(one for one in bench.port.engagement(own.engagement_id or "") if one.is_microsofts)
    assert (theirs.status, theirs.substatus) == ("Active", "Accepted")
    assert theirs.tracking_info.microsoft_msx_id == "7-2QXK4ZB7PA"


@pytest.mark.parametrize("change", ["a lower price", "a later date", "other notes"])
def test_the_parties_of_a_deal_see_the_same_terms(bench: Bench, change: str) -> None:
    own = bench.port.create(deal())
    theirs = bench.port.create(invitation(own.engagement_id))
    path, value = {
        "a lower price": ("/details/dealValue", 7),
        "a later date": ("/details/closingDateTime", datetime(2028, 1, 1, tzinfo=UTC)),
        "other notes": ("/details/notes", "agreed"),
    }[change]
    changed = bench.port.patch(own.id, [replace(path, value)], own.e_tag)
    seen = bench.port.get(theirs.id)
    assert seen.e_tag != theirs.e_tag
    assert (seen.details.deal_value, seen.details.closing_date_time, seen.details.notes) == (
        changed.details.deal_value,
        changed.details.closing_date_time,
        changed.details.notes,
    )


# the strict writer (the real client only) -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("op", "path"),
    [("remove", "/details/notes"), ("replace", "/organizationId"), ("replace", "/details"), ("test", "/name")],
)
def test_what_the_service_is_not_known_to_accept_is_never_sent(cloud: Cloud, op: str, path: str) -> None:
    port = cloud.partner_center
    with pytest.raises(Bug) as caught:
        port.patch(str(uuid.uuid4()), [PatchOperation(op, path, "x")], None)
    assert caught.value.code == "PC_PATH"
