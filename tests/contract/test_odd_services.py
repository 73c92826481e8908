"""The real clients against services that behave as the vendors might: other dialects, faults, answers that get lost."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.clients.dataverse import DataverseClient
from shared.clients.partner_center import PartnerCenterClient
from shared.clients.tokens import PartnerCenterTokens
from shared.errors import AuthorizationError, Conflict, NotFound, Throttled, Unavailable, UnknownOutcome
from shared.ports import Condition, PatchOperation
from tests.contract.cloud import Cloud
from tests.contract.deals import deal

LIST = "/v1.0/engagements/referrals"


class Service:
    """Partner Center with switches, and a client that starts afresh."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        cloud.need("entra", "partner_center")
        self.address = cloud.layout.partner_center_url
        cloud.control("POST", self.address, "/reset")

    def client(self) -> PartnerCenterClient:
        return PartnerCenterClient(self._cloud.http("partner_center", sleep=lambda seconds: None))

    def quirks(self, **quirks: object) -> None:
        self._cloud.control("PUT", self.address, "/quirks", quirks)

    def fault(self, **fault: object) -> None:
        self._cloud.control("POST", self.address, "/faults", fault)

    def requests(self, method: str) -> int:
        found: list[Any] = self._cloud.control("GET", self.address, f"/requests?method={method}&path={LIST}").json()
        return len(found)


@pytest.fixture
def service(cloud: Cloud) -> Iterator[Service]:
    service = Service(cloud)
    yield service
    cloud.control("POST", service.address, "/reset")


def long_ago() -> datetime:
    return datetime.fromisoformat("2020-01-01T00:00:00Z")


# dialects -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("next_link", ["same_path", "as_documented"])
@pytest.mark.parametrize("dates", ["any", "unquoted", "quoted", "refused"])
def test_everything_is_listed_in_any_dialect(service: Service, next_link: str, dates: str) -> None:
    service.quirks(page_size=2, next_link=next_link, date_literals=dates)
    port = service.client()
    made = [port.create(deal()) for _ in range(5)]
    found = list(port.updated_since(long_ago()))
    assert [referral.id for referral in found] == [referral.id for referral in made]
    middle = made[2].updated_date_time
    assert middle is not None
    assert [r.id for r in port.updated_since(middle)] == [r.id for r in made[2:]]


def test_open_deals_and_engagements_are_read_in_pages(service: Service) -> None:
    service.quirks(page_size=2)
    port = service.client()
    made = [port.create(deal()) for _ in range(5)]
    assert sorted(one.id for one in port.still_open()) == sorted(one.id for one in made)
    before = service.requests("GET")
    assert len(port.engagements([one.engagement_id or "" for one in made])) == len(made)
    assert service.requests("GET") - before == 3


@pytest.mark.parametrize("filters", [True, False])
def test_the_crm_id_is_found_whether_or_not_it_can_be_filtered_by(service: Service, filters: bool) -> None:
    service.quirks(external_reference_filter=filters, page_size=2)
    port = service.client()
    made = [port.create(deal()) for _ in range(3)]
    crm_id = made[1].external_reference_id or ""
    for _ in range(2):
        assert [r.id for r in port.find_by_external_reference(crm_id, long_ago())] == [made[1].id]
        assert [r.id for r in port.find_by_external_reference(crm_id.upper(), long_ago())] in ([made[1].id], [])


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_created_deal_may_come_without_its_version(service: Service, status: int) -> None:
    service.quirks(create_status=status, omit_etag_on_create=True)
    port = service.client()
    created = port.create(deal())
    assert created.e_tag is None
    assert port.get(created.id).e_tag, "reading it brings the version"


@pytest.mark.parametrize("status", [409, 412])
def test_a_stale_version_is_a_conflict_by_either_status(service: Service, status: int) -> None:
    service.quirks(conflict_status=status)
    port = service.client()
    created = port.create(deal())
    change = [PatchOperation("replace", "/details/notes", "x")]
    port.patch(created.id, change, created.e_tag)
    with pytest.raises(Conflict) as caught:
        port.patch(created.id, change, created.e_tag)
    assert caught.value.code == "PC_VERSION"


def test_odd_forms_of_an_answer_are_read(service: Service) -> None:
    created = service.client().create(deal())
    service.quirks(
        region_for_state=True, empty_as="blank", pascal_case_consent=True, unknown_extras=True, ids_as_object=True
    )
    found = service.client().get(created.id)
    assert found.details.deal_value == Decimal("84500.55")
    assert found.consent.consent_to_contact is True
    assert found.customer_profile.ids == []
    assert found.status_reason is None


# faults ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", [{"kind": "lost_answer"}, {"kind": "reset"}, {"kind": "status", "status": 503}])
def test_a_creation_whose_answer_got_lost_is_made_once(service: Service, fault: dict[str, Any]) -> None:
    port, body = service.client(), deal()
    service.fault(method="POST", path=LIST, times=1, **fault)
    with pytest.raises(UnknownOutcome):
        port.create(body)
    assert service.requests("POST") == 1
    found = port.find_by_external_reference(body["externalReferenceId"], long_ago())
    assert len(found) == (1 if fault["kind"] == "lost_answer" else 0), "and can be looked up"


def test_a_change_whose_answer_got_lost_is_a_conflict_with_ourselves(service: Service) -> None:
    port = service.client()
    created = port.create(deal())
    service.fault(method="PATCH", path=LIST, times=1, kind="lost_answer")
    with pytest.raises(Conflict):
        port.patch(created.id, [PatchOperation("replace", "/details/notes", "mine")], created.e_tag)
    assert port.get(created.id).details.notes == "mine"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset"},
        {"kind": "lost_answer"},
        {"kind": "status", "status": 500, "body": "html"},
        {"kind": "status", "status": 502, "body": "empty"},
    ],
)
def test_a_read_survives_two_faults_and_not_three(service: Service, fault: dict[str, Any]) -> None:
    port = service.client()
    created = port.create(deal())
    service.fault(method="GET", path=LIST, times=2, **fault)
    assert port.get(created.id).id == created.id
    service.fault(method="GET", path=LIST, times=3, **fault)
    with pytest.raises(Unavailable):
        port.get(created.id)


def test_a_throttled_host_is_left_alone_by_everybody(service: Service) -> None:
    port = service.client()
    service.fault(kind="status", status=429, retry_after=30, times=1, method="GET", path=LIST)
    with pytest.raises(Throttled):
        port.get(str(uuid.uuid4()))
    waits: list[float] = []

    def call() -> None:
        try:
            port.create(deal())
        except Throttled as error:
            waits.append(error.retry_after_s or 0)

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(waits) == 6
    assert all(25 < wait <= 30 for wait in waits)
    assert service.requests("POST") == 0


# rights ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("switch", "code"),
    [({"mfa": False}, "PC_MFA"), ({"role": "ReferralsUser"}, "PC_FORBIDDEN")],
    ids=["no MFA", "role"],
)
def test_a_missing_factor_or_role_names_its_remedy(
    cloud: Cloud, service: Service, switch: dict[str, Any], code: str
) -> None:
    fresh: PartnerCenterTokens = cloud.new_partner_center_tokens()
    cloud.control("PUT", cloud.layout.entra_url, "/switches", switch)
    try:
        port = PartnerCenterClient(cloud.http("partner_center", tokens=fresh))
        with pytest.raises(AuthorizationError) as caught:
            port.create(deal())
    finally:
        cloud.control("PUT", cloud.layout.entra_url, "/switches", {"mfa": True, "role": "ReferralsAdmin"})
    assert caught.value.code == code
    assert caught.value.remedy


def test_an_expired_token_is_replaced_within_the_call(cloud: Cloud, service: Service) -> None:
    port = PartnerCenterClient(cloud.http("partner_center", tokens=cloud.new_partner_center_tokens()))
    created = port.create(deal())
    # The service's clock runs ahead of ours: our token has more than five minutes left, and is refused all the same.
    cloud.control("POST", service.address, "/clock", {"advance_s": 3500})
    cloud.control("POST", cloud.layout.entra_url, "/clock", {"advance_s": 3500})
    cloud.control("POST", service.address, "/clock", {"advance_s": 200})
    try:
        assert port.get(created.id).id == created.id
    finally:
        cloud.control("POST", cloud.layout.entra_url, "/reset")


# Dataverse ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def dataverse(cloud: Cloud) -> Iterator[DataverseClient]:
    cloud.need("entra", "dataverse")
    cloud.control("POST", cloud.layout.dataverse_url, "/reset")
    yield DataverseClient(cloud.http("dataverse", sleep=lambda seconds: None))
    cloud.control("POST", cloud.layout.dataverse_url, "/reset")


def plant(cloud: Cloud, **fault: object) -> None:
    cloud.control("POST", cloud.layout.dataverse_url, "/faults", fault)


def test_an_edit_between_reading_and_writing_is_a_conflict(cloud: Cloud, dataverse: DataverseClient) -> None:
    row_id = dataverse.create("opportunity", {"name": "Contoso"})
    etag = dataverse.get("opportunity", row_id, ["name"]).etag
    edit = {"table": "opportunity", "id": row_id, "values": {"description": "the seller's"}, "times": 1}
    cloud.control("POST", cloud.layout.dataverse_url, "/interleave", edit)
    with pytest.raises(Conflict) as caught:
        dataverse.update("opportunity", row_id, {"description": "mine"}, etag)
    assert caught.value.code == "DV_VERSION"
    assert dataverse.get("opportunity", row_id, ["description"]).values == {"description": "the seller's"}


def test_a_lost_creation_can_be_looked_up_by_its_key(cloud: Cloud, dataverse: DataverseClient) -> None:
    referral = str(uuid.uuid4())
    plant(cloud, kind="lost_answer", method="POST", path="/api/data/v9.2/opportunities", times=1)
    with pytest.raises(UnknownOutcome):
        dataverse.create("opportunity", {"name": "Contoso", "cosell_referralidentifier": referral})
    found = dataverse.find("opportunity", [Condition("cosell_referralidentifier", referral)], ["name"])
    assert len(found) == 1


def test_a_lost_update_without_a_version_is_repeated_at_once(cloud: Cloud, dataverse: DataverseClient) -> None:
    row_id = dataverse.create("opportunity", {"name": "Contoso"})
    plant(cloud, kind="lost_answer", method="PATCH", times=2)
    dataverse.update("opportunity", row_id, {"description": "mine"}, None)
    assert dataverse.get("opportunity", row_id, ["description"]).values == {"description": "mine"}


def test_a_deleted_row_is_never_created_again(cloud: Cloud, dataverse: DataverseClient) -> None:
    row_id = dataverse.create("opportunity", {"name": "Contoso"})
    plant(cloud, kind="lost_answer", method="DELETE", times=1)
    with pytest.raises(Unavailable):
        dataverse.delete("opportunity", row_id)
    with pytest.raises(NotFound):
        dataverse.update("opportunity", row_id, {"description": "ghost"}, None)
    assert dataverse.find("opportunity", [], ["name"]) == []


def test_a_batch_in_which_a_part_hits_the_limit_is_waited_for(cloud: Cloud, dataverse: DataverseClient) -> None:
    account = dataverse.create("account", {"name": "Contoso"})
    two_parts = [*(str(uuid.uuid4()) for _ in range(50)), account]
    address, limit = cloud.layout.dataverse_url, {"requests_per_window": 2, "window_s": 1}
    cloud.control("PUT", address, "/switches", limit)
    try:
        dataverse.find("account", [], ["name"])
        assert dataverse.get_many("account", two_parts, ["name"]).keys() == {account}
    finally:
        cloud.control("PUT", address, "/switches", {"requests_per_window": 6000, "window_s": 300})


def test_dataverses_limits_stop_everybody(cloud: Cloud, dataverse: DataverseClient) -> None:
    dataverse.user_id()
    plant(cloud, kind="status", status=429, retry_after=20, times=1)
    with pytest.raises(Throttled) as caught:
        dataverse.find("account", [], ["name"])
    assert 15 < (caught.value.retry_after_s or 0) <= 20
    with pytest.raises(Throttled):
        dataverse.create("account", {"name": "Contoso"})
