"""Genuine requests in every form Partner Center may send them, and the life of the kept certificate."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from shared.errors import Rejected, Unavailable
from shared.trust import KEEP, PAUSE, RENEW_AFTER, WebhookTrust
from shared.webhook.event import Event
from shared.webhook.policy import TrustPolicy
from shared.webhook.signature import Headers
from tests.security import pki
from tests.security.doubles import Hand, Shelf

BODY = pki.event_body()
GOOD = pki.sign(BODY)
SECOND = timedelta(seconds=1)


def admit(headers: Headers, body: bytes = BODY, certificate: bytes | None = None) -> Event:
    return WebhookTrust(Shelf(certificate), Hand(), pki.policy()).admit(headers, body)


GENUINE: dict[str, Headers] = {
    "authorization": pki.headers(BODY),
    "ms-signature-with-scheme": pki.headers(BODY, Authorization=None, x_ms_signature="Signature " + GOOD),
    "ms-signature-bare": pki.headers(BODY, Authorization=None, x_ms_signature=GOOD),
    "both-alike": pki.headers(BODY, x_ms_signature=GOOD),
    "mapping": dict(pki.headers(BODY)),
    "upper-case-names": [(name.upper(), value) for name, value in pki.headers(BODY)],
    "lower-case-names": [(name.lower(), value) for name, value in pki.headers(BODY)],
    "odd-case-algorithm": pki.headers(BODY, x_ms_signature_algorithm="RSA-SHA256"),
    "lower-case-scheme": pki.headers(BODY, Authorization="signature " + GOOD),
    "other-headers-repeated": [*pki.headers(BODY), ("X-Forwarded-For", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")],
}


@pytest.mark.parametrize("name", GENUINE)
def test_genuine_headers_are_accepted(name: str) -> None:
    assert str(admit(GENUINE[name]).referral_id) == pki.REFERRAL


@pytest.mark.parametrize(
    "certificate",
    [pki.signer().der, pki.signer().pem, b"\r\n" + pki.signer().pem + b"\r\n"],
    ids=["DER", "PEM", "PEM between blank lines"],
)
def test_der_and_pem(certificate: bytes) -> None:
    assert admit(pki.headers(BODY), certificate=certificate).referral_id


def test_a_certificate_without_alternative_names_is_known_by_its_common_name() -> None:
    assert admit(pki.headers(BODY), certificate=pki.leaf(hosts=None).der).referral_id


def test_any_issuer_of_the_roots_when_the_policy_says_so() -> None:
    issuer = pki.authority("Contoso TLS CA 1", "Contoso Ltd", pki.root())
    policy = TrustPolicy(bundle=pki.root().pem + issuer.pem, issuer_organization=None)
    trust = WebhookTrust(Shelf(pki.leaf(issuer=issuer).der), Hand(), policy)
    assert trust.admit(pki.headers(BODY), BODY).referral_id


def test_an_issuer_limited_to_servers_may_issue_the_signer() -> None:
    """The purpose of the authorities follows the policy too, or the next generation of public ones would be refused."""
    issuer = pki.authority("Microsoft TLS G2 RSA CA OCSP 99", pki.MICROSOFT, pki.root(), [pki.SERVER])
    trust = WebhookTrust(
        Shelf(pki.leaf(issuer=issuer, usages=[pki.SERVER]).der),
        Hand(),
        TrustPolicy(bundle=pki.root().pem + issuer.pem),
    )
    assert trust.admit(pki.headers(BODY), BODY).referral_id


class TestKeptCertificate:
    """Fetched once, kept for `KEEP`, renewed once when it does not fit."""

    def setup_method(self) -> None:
        self.shelf = Shelf()
        self.clock = Hand()
        self.trust = WebhookTrust(self.shelf, self.clock, pki.policy())

    def admit(self, key_name: str = "signer") -> Event:
        # the event is as old as the clock, so that only the certificate decides
        body = pki.event_body(ResourceChangeUtcDate=self.clock.now.isoformat())
        signed = pki.headers(body, Authorization="Signature " + pki.sign(body, pki.rsa_key(key_name)))
        return self.trust.admit(signed, body)

    def test_is_fetched_once(self) -> None:
        for _ in range(3):
            self.admit()
            self.clock.move(KEEP / 4)
        assert self.shelf.fetches == 1

    def test_is_fetched_again_after_its_time(self) -> None:
        self.admit()
        self.clock.move(KEEP)
        self.admit()
        assert self.shelf.fetches == 2

    def test_is_not_used_beyond_its_own_end(self) -> None:
        self.shelf.content = pki.leaf(starts=pki.NOW - timedelta(days=1), days=1).der  # ends now
        self.admit()
        self.clock.move(RENEW_AFTER)
        self.shelf.content = pki.signer().der
        self.admit()
        assert self.shelf.fetches == 2

    def test_rotation_is_noticed_by_the_first_request(self) -> None:
        self.admit()
        self.clock.move(RENEW_AFTER)
        self.shelf.content = pki.leaf(key=pki.rsa_key("successor")).der
        assert self.admit("successor").referral_id
        assert self.admit("successor").referral_id
        assert self.shelf.fetches == 2

    def test_forged_requests_cannot_set_the_rate_of_fetches(self) -> None:
        self.admit()
        self.clock.move(RENEW_AFTER)
        for _ in range(20):
            with pytest.raises(Rejected) as refusal:
                self.admit("stranger")
            assert refusal.value.code == "WRONG_SIGNATURE"
            self.clock.move(SECOND)
        assert self.shelf.fetches == 2

    def test_a_bad_certificate_is_not_kept_for_long(self) -> None:
        self.shelf.content = b"<html>maintenance</html>"
        with pytest.raises(Rejected):
            self.admit()
        self.shelf.content = pki.signer().der
        self.clock.move(RENEW_AFTER)
        assert self.admit().referral_id

    def test_when_it_cannot_be_fetched_the_sender_is_to_come_back(self) -> None:
        self.shelf.content = None
        for _ in range(3):
            with pytest.raises(Unavailable) as failure:
                self.admit()
        assert failure.value.code == "CERTIFICATE_UNAVAILABLE"
        assert self.shelf.fetches == 1, "a moment's pause between attempts"
        self.clock.move(PAUSE)
        self.shelf.content = pki.signer().der
        assert self.admit().referral_id

    def test_an_outage_does_not_disturb_genuine_requests(self) -> None:
        self.admit()
        self.clock.move(RENEW_AFTER)
        self.shelf.content = None
        with pytest.raises(Unavailable):
            self.admit("stranger")
        assert self.admit().referral_id

    def test_a_clock_that_was_set_back_does_not_keep_it_for_ever(self) -> None:
        self.admit()
        self.clock.move(-timedelta(days=1))
        self.admit()
        assert self.shelf.fetches == 2


def test_many_requests_at_once_fetch_once() -> None:
    everybody_waits = threading.Barrier(16)
    answered: list[Event] = []

    class Slow(Shelf):
        def fetch(self, url: str) -> bytes:
            content = super().fetch(url)
            released.wait(5)
            return content

    shelf = Slow()
    released = threading.Event()
    trust = WebhookTrust(shelf, Hand(), pki.policy())
    headers = pki.headers(BODY)

    def one() -> None:
        everybody_waits.wait(5)
        answered.append(trust.admit(headers, BODY))

    threads = [threading.Thread(target=one) for _ in range(16)]
    for thread in threads:
        thread.start()
    while not shelf.fetches:
        threading.Event().wait(0.005)
    released.set()
    for thread in threads:
        thread.join(5)
    assert len(answered) == 16
    assert shelf.fetches == 1
