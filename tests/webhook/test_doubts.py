"""What the webhook knows of itself before an event is refused: authorities that end, a signer nobody vouches for."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from azure.functions import HttpRequest

from shared.errors import Unavailable
from shared.handlers import http, watch
from shared.ports import Registration
from shared.settings import load
from shared.trust import AHEAD, RENEW_AFTER, WebhookTrust
from shared.webhook.policy import CERTIFICATE_URL, TrustPolicy
from tests.fakes.dataverse import FakeDataverse
from tests.fakes.registrations import FakeRegistrations
from tests.fakes.service_bus import FakeQueues
from tests.security import canaries, pki
from tests.security.doubles import Hand, Shelf

END = pki.intermediate().certificate.not_valid_after_utc
SECOND = timedelta(seconds=1)
LATER = "https://3psostorageacct.blob.core.windows.net/cert/later.cer"


class Shelves:
    """The port `Certificates` with one content for each address."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents

    def fetch(self, url: str) -> bytes:
        if url not in self.contents:
            raise Unavailable("CERTIFICATE_UNAVAILABLE", "There is none.", "Wait.")
        return self.contents[url]


def stranger() -> bytes:
    return pki.leaf(issuer=pki.authority("Microsoft TLS G3 RSA CA 07", pki.MICROSOFT, pki.root())).der


def test_nothing_is_doubted_while_all_is_well() -> None:
    assert WebhookTrust(Shelf(), Hand(), pki.policy()).doubts() == []


def test_an_authority_is_named_thirty_days_before_its_end() -> None:
    signer = Shelf(pki.leaf(starts=END - timedelta(days=90), days=90).der)
    for early in (timedelta(0), SECOND):
        assert WebhookTrust(signer, Hand(END - AHEAD - early), pki.policy()).doubts() == []
    [doubt] = WebhookTrust(signer, Hand(END - AHEAD + SECOND), pki.policy()).doubts()
    assert "CN=Microsoft Azure RSA TLS Issuing CA 99" in doubt
    assert f"ends on {END:%Y-%m-%d}" in doubt


def test_the_public_roots_are_not_the_operators_business() -> None:
    assert pki.policy().ending(END + timedelta(days=1)) == {
        pki.intermediate().certificate.subject.rfc4514_string(): END.date()
    }
    assert pki.policy().ending(datetime.now(UTC)) == {}


def test_a_signer_from_an_unknown_authority_is_noticed_before_its_first_event() -> None:
    shelf, clock = Shelf(), Hand()
    trust = WebhookTrust(shelf, clock, pki.policy())
    assert trust.doubts() == []
    shelf.content = stranger()
    clock.move(RENEW_AFTER)
    [doubt] = trust.doubts()
    assert "UNTRUSTED_CERTIFICATE" in doubt
    assert "Microsoft TLS G3 RSA CA 07" in doubt, "the remedy names what is to be added"


def test_a_certificate_that_cannot_be_fetched_is_doubted() -> None:
    shelf = Shelf()
    shelf.content = None
    [doubt] = WebhookTrust(shelf, Hand(), pki.policy()).doubts()
    assert "CERTIFICATE_UNAVAILABLE" in doubt


@pytest.mark.parametrize("good", [CERTIFICATE_URL, LATER])
def test_one_good_address_of_several_is_enough(good: str) -> None:
    policy = TrustPolicy(bundle=pki.policy().bundle, certificate_urls=(CERTIFICATE_URL, LATER))
    assert WebhookTrust(Shelves({good: pki.signer().der}), Hand(), policy).doubts() == []
    [doubt] = WebhookTrust(Shelves({LATER: stranger()}), Hand(), policy).doubts()
    assert "CERTIFICATE_UNAVAILABLE" in doubt, "the first address is the one in use"


@pytest.mark.parametrize(("served", "alerts"), [(pki.signer().der, 0), (stranger(), 1)], ids=["known", "stranger"])
def test_the_hourly_look_alerts_whether_the_registration_is_in_order_or_not(
    served: bytes, alerts: int, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load(canaries.ENVIRONMENT)
    assert settings.webhook_url
    for url, outcome in ((settings.webhook_url, "in order"), ("https://elsewhere.example", "overwritten")):
        caplog.clear()
        registrations = FakeRegistrations(Hand(), Registration(url, tuple(settings.webhook_events)))
        with caplog.at_level(logging.ERROR, "cosell.watch"):
            found = watch.handle(registrations, settings, WebhookTrust(Shelf(served), Hand(), pki.policy()))
        assert found == outcome
        told = [record.getMessage() for record in caplog.records]
        assert sum(line.startswith("ALERT the webhook's trust: ") for line in told) == alerts
        assert sum("registration is not ours" in line for line in told) == (outcome == "overwritten")


@pytest.mark.parametrize(
    ("url", "served", "webhook", "trust"),
    [
        (canaries.ENVIRONMENT["WEBHOOK_URL"], pki.signer().der, "ours", "in order"),
        ("https://elsewhere.example", pki.signer().der, "registered elsewhere or not at all", "in order"),
        (canaries.ENVIRONMENT["WEBHOOK_URL"], stranger(), "ours", ["Partner Center's own events are not believed: "]),
    ],
    ids=["in-order", "elsewhere", "stranger"],
)
def test_the_status_tells_it_too(url: str, served: bytes, webhook: str, trust: str | list[str]) -> None:
    class Wiring:
        settings = load(canaries.ENVIRONMENT)
        trust = WebhookTrust(Shelf(served), Hand(), pki.policy())
        registrations = FakeRegistrations(Hand(), Registration(url, ()))
        dataverse = FakeDataverse(Hand())
        queues = FakeQueues(Hand())

    answer = http.status(HttpRequest("GET", "/api/status", body=b""), Wiring)
    told = json.loads(answer.get_body())
    assert answer.status_code == 200
    assert (told["webhook"], bool(told["dataverseUser"])) == (webhook, True)
    cut = (
        [doubt[: len(trust[0])] for doubt in told["webhookTrust"]] if isinstance(trust, list) else told["webhookTrust"]
    )
    assert cut == trust
    assert canaries.found(json.dumps(told)) == []


def test_without_a_webhook_nothing_is_looked_at() -> None:
    settings = load({key: value for key, value in canaries.ENVIRONMENT.items() if key != "WEBHOOK_URL"})
    shelf = Shelf(stranger())
    registrations = FakeRegistrations(Hand())
    assert watch.handle(registrations, settings, WebhookTrust(shelf, Hand(), pki.policy())).startswith("no webhook")
    assert shelf.fetches == 0
