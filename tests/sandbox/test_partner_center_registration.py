"""Registration and validation events of the simulated webhooks (behaviours W1 and W2)."""

from __future__ import annotations

import pytest

from tests.sandbox.partner_center_deals import EVENTS, register
from tests.sandbox.partner_center_fixture import JSON, REGISTRATION, Cloud, until
from tests.sandbox.webhook_receiver import Receiver

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("partner_center")]


# W1 -----------------------------------------------------------------------------------------------------------------
def test_one_registration_per_tenant(fresh_cloud: Cloud, receiver: Receiver) -> None:
    assert fresh_cloud.api("GET", REGISTRATION).status_code == 404
    body = {"WebhookUrl": receiver.url, "WebhookEvents": EVENTS}
    assert fresh_cloud.api("PUT", REGISTRATION, body).status_code == 404
    made = register(fresh_cloud, receiver)
    assert made["SubscriberId"]
    assert fresh_cloud.api("POST", REGISTRATION, body).status_code == 409
    changed = register(fresh_cloud, receiver, "PUT", WebhookEvents=EVENTS[:2])
    assert changed["SubscriberId"] == made["SubscriberId"]
    read = fresh_cloud.api("GET", REGISTRATION).json()
    assert (read["WebhookUrl"], read["WebhookEvents"]) == (receiver.url, EVENTS[:2])
    assert "SubscriberId" not in read
    assert set(EVENTS) <= set(fresh_cloud.api("GET", f"{REGISTRATION}/events").json())


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({"WebhookUrl": None}, "WebhookUrl"),
        ({"WebhookUrl": "http://sync.fjordvik.example/hook"}, "WebhookUrl"),
        ({"WebhookUrl": "https://host:99999/"}, "WebhookUrl"),
        ({"WebhookUrl": "ftp://localhost/"}, "WebhookUrl"),
        ({"WebhookEvents": []}, "WebhookEvents"),
        ({"WebhookEvents": ["referral-deleted"]}, "WebhookEvents"),
    ],
)
def test_registrations_that_are_refused(fresh_cloud: Cloud, changes: JSON, target: str) -> None:
    body = {"WebhookUrl": "https://sync.fjordvik.example/hook", "WebhookEvents": EVENTS} | changes
    answer = fresh_cloud.api("POST", REGISTRATION, body)
    assert (answer.status_code, answer.json()["code"], answer.json()["data"]) == (400, 3000, [target])
    assert answer.json()["description"]


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ({"app_only": True, "user": "", "roles": []}, 404, 1000),
        ({"mfa": False}, 401, 900421),
        ({"roles": ["ReferralsUser"]}, 403, 2032),
        ({"audience": "https://elsewhere.example"}, 401, 400),
    ],
    ids=["app-only-is-welcome", "no-mfa", "no-role", "audience"],
)
def test_who_may_register(fresh_cloud: Cloud, token: JSON, status: int, code: int) -> None:
    answer = fresh_cloud.api("GET", REGISTRATION, token=token, MS_CorrelationId="c0ffee")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["MS-CorrelationId"] == "c0ffee"


def test_properties_are_read_without_regard_to_case(fresh_cloud: Cloud, receiver: Receiver) -> None:
    body = {"webhookUrl": receiver.url, "webhookEvents": EVENTS, "signatureTokenToMsSignatureHeader": "true"}
    answer = fresh_cloud.api("POST", REGISTRATION, body).json()
    assert answer["SignatureTokenToMsSignatureHeader"] is True


# W2 -----------------------------------------------------------------------------------------------------------------
def test_validation_events(fresh_cloud: Cloud, receiver: Receiver) -> None:
    fresh_cloud.sim("PUT", "/delivery", {"schedule_s": [0.05]})
    receiver.statuses = [500, 404, 200]
    register(fresh_cloud, receiver)
    correlation_id = fresh_cloud.api("POST", f"{REGISTRATION}/validationEvents").json()["correlationId"]
    path = f"{REGISTRATION}/validationEvents/{correlation_id}"
    result = until(lambda: (r := fresh_cloud.api("GET", path).json())["status"] == "completed" and r)
    assert [one["responseCode"] for one in result["results"]] == ["InternalServerError", "NotFound", "OK"]
    assert (result["callbackUrl"], result["partnerId"]) == (receiver.url, fresh_cloud.layout.organization_id)
    assert not result["results"][0]["dateTimeUtc"].endswith("Z")
    assert receiver.received[0].event["EventName"] == "test-created"
    assert receiver.received[0].event["ResourceName"] == "test"
    fresh_cloud.sim("POST", "/clock", {"advance_s": 8 * 86_400})
    assert fresh_cloud.api("GET", path).status_code == 404


def test_at_most_two_validation_events_a_minute(fresh_cloud: Cloud, receiver: Receiver) -> None:
    path = f"{REGISTRATION}/validationEvents"
    assert fresh_cloud.api("POST", path).status_code == 404
    register(fresh_cloud, receiver)
    statuses = [fresh_cloud.api("POST", path).status_code for _ in range(2)]
    refused = fresh_cloud.api("POST", path)
    assert (*statuses, refused.status_code) == (200, 200, 429)
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    fresh_cloud.sim("POST", "/clock", {"advance_s": 61})
    assert fresh_cloud.api("POST", path).status_code == 200
    register(fresh_cloud, receiver, "PUT", WebhookEvents=EVENTS[:2])
    fresh_cloud.sim("POST", "/clock", {"advance_s": 61})
    assert fresh_cloud.api("POST", path).status_code == 400
