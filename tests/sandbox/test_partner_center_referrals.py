"""Access, create, invitation, versions and faults of the simulated referrals API (behaviours S1 to S4 and S10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.sandbox.partner_center_deals import body, create, create_co_sell, microsoft_body, patch, read, replace
from tests.sandbox.partner_center_fixture import JSON, REFERRALS, Cloud

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("partner_center")]


# S1 -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ({"audience": "https://api.partner.example"}, 401, "unauthenticated"),
        ({"expires_in_s": -1}, 401, "unauthenticated"),
        ({"mfa": False}, 401, "900421"),
        ({"app_only": True, "user": ""}, 403, "accessDenied"),
        ({"roles": []}, 403, "accessDenied"),
    ],
    ids=["audience", "expired", "no-mfa", "app-only", "no-role"],
)
def test_tokens_that_are_refused(fresh_cloud: Cloud, token: JSON, status: int, code: str) -> None:
    answer = fresh_cloud.api("GET", REFERRALS, token=token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("header", [None, "Basic abc", "Bearer", "Bearer not.a.token"])
def test_no_usable_token(fresh_cloud: Cloud, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    answer = fresh_cloud.session.get(fresh_cloud.layout.partner_center_url + REFERRALS, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_user_sees_only_deals_whose_team_they_are_on_and_changes_none(fresh_cloud: Cloud) -> None:
    own, theirs = create_co_sell(fresh_cloud)
    other = create(fresh_cloud, team=[{**body()["team"][0], "email": "maja@fjordvik.example"}])
    user = {"roles": ["ReferralsUser"], "user": "Aksel.Dahl@fjordvik.example"}
    listed = fresh_cloud.api("GET", REFERRALS, token=user).json()["value"]
    assert [one["id"] for one in listed] == [own["id"]]
    assert fresh_cloud.api("GET", f"{REFERRALS}/{theirs['id']}", token=user).status_code == 200
    assert fresh_cloud.api("GET", f"{REFERRALS}/{other['id']}", token=user).status_code == 404
    assert fresh_cloud.api("POST", REFERRALS, body(), token=user).status_code == 403
    operations = [replace("/name", "Mine")]
    assert fresh_cloud.api("PATCH", f"{REFERRALS}/{own['id']}", operations, token=user).status_code == 403


def test_mfa_is_reported_on_request(fresh_cloud: Cloud) -> None:
    answer = fresh_cloud.api("GET", REFERRALS, ValidateMfa="true")
    assert answer.headers["isMfaCompliant"] == "true"


# S2 -----------------------------------------------------------------------------------------------------------------
def test_a_created_deal_is_accepted_from_birth_and_complete(fresh_cloud: Cloud) -> None:
    sent = body(status="New", substatus="Pending", id="ignored", name="Blåbær & sønner")
    answer = fresh_cloud.api("POST", REFERRALS, sent, client_request_id="6c1c7a0e-5a0f-4b0c-bf0a-0f5b2a1d9b77")
    made = answer.json()
    assert answer.status_code == 200
    assert answer.headers["client-request-id"] == "6c1c7a0e-5a0f-4b0c-bf0a-0f5b2a1d9b77"
    assert answer.headers["ETag"] == made["eTag"]
    assert (made["status"], made["substatus"], made["direction"]) == ("Active", "Accepted", "Outgoing")
    assert (made["name"], made["organizationId"]) == ("Blåbær & sønner", fresh_cloud.layout.organization_id)
    assert made["id"] != "ignored"
    assert made["createdVia"] == made["lastModifiedVia"] == fresh_cloud.layout.app_client_id
    assert (made["quality"], made["dealSensitivity"], made["registrationStatus"]) == ("Unknown", "None", "None")
    assert set(made["trackingInfo"].values()) == {None}
    assert made["inviteContext"]["invitedBy"]["organizationId"] == fresh_cloud.layout.organization_id
    assert made["links"]["self"]["uri"].endswith(made["id"])
    assert made["details"]["dealValue"] == 40000
    assert made["mpnId"] == fresh_cloud.layout.partner_id
    for name in ("createdDateTime", "updatedDateTime", "acceptedDateTime"):
        assert made[name].endswith("Z")
        assert not made[name].endswith("0Z")
        assert abs(datetime.fromisoformat(made[name]) - datetime.now(UTC)) < timedelta(minutes=1)
    again = read(fresh_cloud, made)
    assert again == made


def test_names_are_bound_without_regard_to_case(fresh_cloud: Cloud) -> None:
    sent = {name[0].upper() + name[1:]: value for name, value in body().items()}
    made = fresh_cloud.api("POST", REFERRALS, sent).json()
    assert (made["name"], made["externalReferenceId"]) == (sent["Name"], sent["ExternalReferenceId"])


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({"type": None}, "/type"),
        ({"details": 5}, "/details"),
        ({"name": " "}, "/name"),
        ({"type": "Secret"}, "/type"),
        ({"customerProfile": {"address": {"city": ""}}}, "/customerProfile/address/city"),
        ({"customerProfile": {"address": {"country": "NOR"}}}, "/customerProfile/address/country"),
        ({"customerProfile": {"team": []}}, "/customerProfile/team"),
        ({"details": {"dealValue": -1}}, "/details/dealValue"),
        ({"details": {"dealValue": "a lot"}}, "/details/dealValue"),
        ({"details": {"currency": "kr"}}, "/details/currency"),
        ({"details": {"closingDateTime": "soon"}}, "/details/closingDateTime"),
        ({"details": {"requirements": {"solutions": []}}}, "/details/requirements/solutions"),
        ({"consent": {"consentToContact": False}}, "/consent/consentToContact"),
        ({"consent": {"consentToShareInfoWithOthers": True}}, "/consent/consentToShareInfoWithOthers"),
        ({"team": [{"firstName": "Aksel"}]}, "/team/0/lastName"),
        ({"inviteContext": {"assistanceRequestCode": "Please"}}, "/inviteContext/assistanceRequestCode"),
        ({"engagementId": "c2a9d1b4-6e0f-47c8-9b7e-51d3e8a04f26"}, "/engagementId"),
    ],
)
def test_deals_that_are_refused(fresh_cloud: Cloud, changes: JSON, target: str) -> None:
    answer = fresh_cloud.api("POST", REFERRALS, body(**changes))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["target"]) == (400, "invalidRequest", target)
    assert fresh_cloud.sim("GET", "/referrals") == []


def test_documented_requirements_alone_when_not_strict(fresh_cloud: Cloud) -> None:
    fresh_cloud.sim("PUT", "/quirks", {"strict": False})
    least = {"type": "Independent", "customerProfile": {"name": "x"}, "consent": {"a": 1}, "details": {"notes": "x"}}
    least["consent"] = {"consentToContact": True}
    assert fresh_cloud.api("POST", REFERRALS, least).status_code == 200
    del least["details"]
    assert fresh_cloud.api("POST", REFERRALS, least).status_code == 400


@pytest.mark.parametrize("status", [201, 202])
def test_success_code_and_missing_etag_are_switchable(fresh_cloud: Cloud, status: int) -> None:
    fresh_cloud.sim("PUT", "/quirks", {"create_status": status, "omit_etag_on_create": True})
    answer = fresh_cloud.api("POST", REFERRALS, body())
    assert answer.status_code == status
    assert "eTag" not in answer.json()
    assert read(fresh_cloud, answer.json())["eTag"].startswith('"')


def test_the_type_may_follow_the_consent(fresh_cloud: Cloud) -> None:
    fresh_cloud.sim("PUT", "/quirks", {"type_from_consent": True})
    made = create(fresh_cloud, consent={"consentToShareReferralWithMicrosoftSellers": False})
    assert made["type"] == "Independent"


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b"null", "application/json", 400),
        (b"{}", "application/json-patch+json", 415),
        (b" " * 1_048_577, "application/json", 413),
    ],
    ids=["broken", "deep", "nan", "null", "media-type", "large"],
)
def test_bodies_that_cannot_be_read(fresh_cloud: Cloud, content: bytes, kind: str, status: int) -> None:
    answer = fresh_cloud.session.post(
        fresh_cloud.layout.partner_center_url + REFERRALS,
        data=content,
        headers={"Authorization": f"Bearer {fresh_cloud.token()}", "Content-Type": kind},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, "invalidRequest")


# S3 -----------------------------------------------------------------------------------------------------------------
def test_the_second_request_invites_microsoft(fresh_cloud: Cloud) -> None:
    own, theirs = create_co_sell(fresh_cloud)
    assert theirs["engagementId"] == own["engagementId"]
    assert theirs["id"] != own["id"]
    assert (theirs["organizationId"], theirs["status"], theirs["substatus"]) == ("msft", "New", "Pending")
    left = datetime.fromisoformat(theirs["expirationDateTime"]) - datetime.now(UTC)
    assert timedelta(days=13) < left <= timedelta(days=14)


def test_when_microsoft_cannot_be_invited(fresh_cloud: Cloud) -> None:
    def invite(engagement_id: str, **changes: Any) -> tuple[int, str]:
        answer = fresh_cloud.api("POST", REFERRALS, microsoft_body(engagement_id, **changes))
        return answer.status_code, answer.json()["error"]["target"]

    private = {"consent": {"consentToShareReferralWithMicrosoftSellers": False}}
    own, _ = create_co_sell(fresh_cloud)
    assert invite(own["engagementId"]) == (400, "/target")
    assert invite("c2a9d1b4-6e0f-47c8-9b7e-51d3e8a04f26") == (400, "/engagementId")
    assert invite(create(fresh_cloud, **private)["engagementId"])[1].startswith("/consent")
    assert invite(create(fresh_cloud)["engagementId"], **private)[1].startswith("/consent")
    closed = create(fresh_cloud)
    assert patch(fresh_cloud, closed, replace("/status", "Closed"), replace("/substatus", "Won")).status_code == 204
    assert invite(closed["engagementId"]) == (400, "/engagementId")


# S4 -----------------------------------------------------------------------------------------------------------------
def test_every_write_gives_another_version_with_the_second_of_the_write(fresh_cloud: Cloud) -> None:
    own, theirs = create_co_sell(fresh_cloud)
    tags = [own["eTag"], theirs["eTag"]]
    for number in range(3):
        patch(fresh_cloud, own, replace("/campaignId", f"C{number}"))
        tags.append(read(fresh_cloud, own)["eTag"])
    fresh_cloud.sim("POST", f"/engagements/{own['engagementId']}/microsoft", {"action": "accept"})
    tags += [read(fresh_cloud, own)["eTag"], read(fresh_cloud, theirs)["eTag"]]
    assert len(set(tags)) == len(tags)
    seconds = int(tags[-1].strip('"').rpartition("-")[2][:8], 16)
    assert abs(seconds - datetime.now(UTC).timestamp()) < 60
    assert tags[-1].endswith('0000"')


# S10 ----------------------------------------------------------------------------------------------------------------
def test_throttling_has_the_gateways_body(fresh_cloud: Cloud) -> None:
    fresh_cloud.sim(
        "POST", "/faults", {"kind": "status", "status": 429, "retry_after": 57, "method": "GET", "times": 1}
    )
    answer = fresh_cloud.api("GET", REFERRALS)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "57")
    assert answer.json() == {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 57 seconds."}
    assert fresh_cloud.api("GET", REFERRALS).status_code == 200


@pytest.mark.parametrize(
    ("status", "form", "expected"),
    [
        (503, "vendor", "serviceNotAvailable"),
        (500, "vendor", "generalException"),
        (502, "html", "<html>"),
        (500, "empty", ""),
    ],
)
def test_errors_in_every_form(fresh_cloud: Cloud, status: int, form: str, expected: str) -> None:
    fresh_cloud.sim("POST", "/faults", {"kind": "status", "status": status, "body": form, "times": 1})
    answer = fresh_cloud.api("GET", REFERRALS)
    assert answer.status_code == status
    assert expected in answer.text
    assert (answer.text == "") == (form == "empty")


@pytest.mark.parametrize(("kind", "created"), [("lost_answer", 1), ("reset", 0)])
def test_a_connection_can_break_before_and_after_the_commit(fresh_cloud: Cloud, kind: str, created: int) -> None:
    fresh_cloud.sim("POST", "/faults", {"kind": kind, "method": "POST", "times": 1})
    with pytest.raises(requests.ConnectionError):
        fresh_cloud.api("POST", REFERRALS, body())
    assert len(fresh_cloud.sim("GET", "/referrals")) == created
    logged = fresh_cloud.sim("GET", f"/requests?method=POST&path=/v1.0&client={fresh_cloud.layout.app_client_id}")
    assert [entry["status"] for entry in logged] == [None]


@pytest.mark.parametrize(("kind", "created"), [("hold", 0), ("hold_answer", 1)])
def test_a_caller_can_be_kept_waiting_before_and_after_the_commit(fresh_cloud: Cloud, kind: str, created: int) -> None:
    """Whoever hangs up meanwhile has asked for nothing, or was told nothing; whoever waits is answered."""
    number = fresh_cloud.sim("POST", "/faults", {"kind": kind, "method": "POST", "times": 1, "delay_s": 30})["id"]
    address, token = fresh_cloud.layout.partner_center_url + REFERRALS, fresh_cloud.token()
    with pytest.raises(requests.Timeout):
        fresh_cloud.session.post(address, json=body(), headers={"Authorization": f"Bearer {token}"}, timeout=0.5)
    [logged] = fresh_cloud.sim("GET", "/requests?method=POST&path=/v1.0")
    assert logged["status"] == (None, 200)[created]
    assert len(fresh_cloud.sim("GET", "/referrals")) == created
    fresh_cloud.sim("DELETE", f"/faults/{number}")
    fresh_cloud.sim("POST", "/faults", {"kind": kind, "method": "POST", "times": 1, "delay_s": 0.1})
    assert fresh_cloud.api("POST", REFERRALS, body()).ok
    assert len(fresh_cloud.sim("GET", "/referrals")) == created + 1


def test_faults_count_skip_and_end(fresh_cloud: Cloud) -> None:
    number = fresh_cloud.sim("POST", "/faults", {"kind": "status", "status": 503, "skip": 1, "path": REFERRALS})["id"]
    statuses = [fresh_cloud.api("GET", REFERRALS).status_code for _ in range(3)]
    assert statuses == [200, 503, 503]
    assert fresh_cloud.sim("GET", "/faults")[0]["fired"] == 2
    fresh_cloud.sim("DELETE", f"/faults/{number}")
    assert fresh_cloud.api("GET", REFERRALS).status_code == 200


def test_a_seeded_fault_strikes_alike_every_time(fresh_cloud: Cloud) -> None:
    def strikes() -> list[int]:
        fresh_cloud.sim("DELETE", "/faults")
        fresh_cloud.sim("POST", "/faults", {"kind": "status", "probability": 0.5, "seed": 7})
        return [fresh_cloud.api("GET", REFERRALS).status_code for _ in range(12)]

    first = strikes()
    assert set(first) == {200, 503}
    assert strikes() == first
