"""The simulated Partner Center against the vendor's OpenAPI files: every operation once, and the check can fail.

All other tests of this simulator validate their answers in passing (`Cloud.api`); here no operation is forgotten.
"""

from __future__ import annotations

import jsonschema
import pytest
import requests

from tests.sandbox import published_contract
from tests.sandbox.partner_center_deals import create_co_sell, replace
from tests.sandbox.partner_center_fixture import REFERRALS, REGISTRATION, Cloud
from tests.sandbox.webhook_receiver import Receiver

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.xdist_group("partner_center"),
    pytest.mark.skipif(
        not published_contract.available(),
        reason="the vendor's OpenAPI files are not beside the checkout (../shared/contracts)",
    ),
]


def test_every_operation_answers_as_published(fresh_cloud: Cloud, receiver: Receiver) -> None:
    published_contract.checked.clear()
    own, theirs = create_co_sell(fresh_cloud)
    fresh_cloud.api("GET", f"{REFERRALS}/{theirs['id']}")
    fresh_cloud.api("GET", f"{REFERRALS}?$filter=engagementId eq '{own['engagementId']}'&$count=true")
    operations = [replace("/details/dealValue", 5)]
    fresh_cloud.api("PATCH", f"{REFERRALS}/{own['id']}", operations, Prefer="return=representation")
    body = {"WebhookUrl": receiver.url, "WebhookEvents": ["test-created"]}
    for method in ("POST", "PUT", "GET"):
        fresh_cloud.api(method, REGISTRATION, body if method != "GET" else None)
    fresh_cloud.api("GET", f"{REGISTRATION}/events")
    sent = fresh_cloud.api("POST", f"{REGISTRATION}/validationEvents").json()
    fresh_cloud.api("GET", f"{REGISTRATION}/validationEvents/{sent['correlationId']}")
    assert set(published_contract.checked) == {
        "GET /v1.0/engagements/referrals",
        "POST /v1.0/engagements/referrals",
        "GET /v1.0/engagements/referrals/{id}",
        "PATCH /v1.0/engagements/referrals/{id}",
        "GET /webhooks/v1/registration",
        "POST /webhooks/v1/registration",
        "PUT /webhooks/v1/registration",
        "GET /webhooks/v1/registration/events",
        "POST /webhooks/v1/registration/validationEvents",
        "GET /webhooks/v1/registration/validationEvents/{correlationId}",
    }


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (REFERRALS, b'{"@odata.count": 1, "value": [{"id": 5}]}'),
        (REFERRALS, b'{"value": [{"inviteContext": {"assistanceRequestCode": "Please"}}]}'),
        (f"{REGISTRATION}/events", b'["test-created", 7]'),
        (REGISTRATION, b'{"WebhookUrl": ["https://a.example"]}'),
    ],
)
def test_the_check_finds_what_is_wrong(path: str, content: bytes) -> None:
    answer = requests.Response()
    answer.status_code = 200
    answer._content = content
    with pytest.raises(jsonschema.ValidationError):
        published_contract.check_answer("GET", path, answer)
