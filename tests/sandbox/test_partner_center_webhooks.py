"""Signed delivery of the simulated webhooks, with all that can go wrong (behaviours W3 to W8)."""

from __future__ import annotations

import base64
import time
from collections import Counter

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from sandbox.authority import SIGNER_HOST
from tests.sandbox.partner_center_deals import create, create_co_sell, register, replace
from tests.sandbox.partner_center_fixture import REFERRALS, Cloud, until
from tests.sandbox.webhook_receiver import Received, Receiver

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("partner_center")]


def wait_idle(cloud: Cloud, within_s: float = 5.0) -> None:
    until(lambda: cloud.sim("GET", "/idle")["idle"], within_s)


def certificate(cloud: Cloud) -> x509.Certificate:
    content = cloud.session.get(cloud.layout.certificate_url).content
    if content.startswith(b"-----"):
        return x509.load_pem_x509_certificate(content)
    return x509.load_der_x509_certificate(content)


def signed(request: Received, leaf: x509.Certificate) -> bool:
    header = next(value for name, value in request.headers.items() if name in ("X-MS-Signature", "Authorization"))
    scheme, _, token = header.partition(" ")
    assert scheme == "Signature"
    key = leaf.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    try:
        key.verify(base64.b64decode(token, validate=True), request.body, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def trusted(cloud: Cloud, leaf: x509.Certificate) -> bool:
    anchors = x509.load_pem_x509_certificates(cloud.layout.webhook_trust_bundle.read_bytes())
    roots = [one for one in anchors if one.issuer == one.subject]
    verifier = PolicyBuilder().store(Store(roots)).build_server_verifier(x509.DNSName(SIGNER_HOST))
    try:
        verifier.verify(leaf, [one for one in anchors if one not in roots])
    except VerificationError:
        return False
    return True


# W3, W4, W5 ---------------------------------------------------------------------------------------------------------
def test_a_delivery_is_signed_over_its_exact_bytes(fresh_cloud: Cloud, receiver: Receiver) -> None:
    register(fresh_cloud, receiver)
    own = create(fresh_cloud)
    request = until(lambda: receiver.received)[0]
    assert request.path == "/api/webhook?code=key"
    assert request.headers["X-MS-Certificate-Url"] == fresh_cloud.layout.certificate_url
    assert request.headers["X-MS-Signature-Algorithm"] == "rsa-sha256"
    assert "X-MS-Signature" not in request.headers
    assert b'\r\n    "EventName": "referral-created",\r\n' in request.body
    assert list(request.event) == ["EventName", "ResourceUri", "ResourceName", "AuditUri", "ResourceChangeUtcDate"]
    address = f"https://api.partnercenter.microsoft.com/engagements/v1/referrals/{own['id']}"
    assert (request.event["ResourceUri"], request.event["AuditUri"]) == (address, None)
    assert request.event["ResourceChangeUtcDate"].endswith("+00:00")
    leaf = certificate(fresh_cloud)
    assert signed(request, leaf)
    assert trusted(fresh_cloud, leaf)


def test_the_leaf_is_what_a_receiver_looks_for(fresh_cloud: Cloud) -> None:
    leaf = certificate(fresh_cloud)
    for name in (leaf.subject, leaf.issuer):
        assert name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "Microsoft Corporation"
    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == SIGNER_HOST
    key = leaf.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 2048
    fresh_cloud.sim("PUT", "/delivery", {"certificate_format": "pem"})
    assert fresh_cloud.session.get(fresh_cloud.layout.certificate_url).content.count(b"BEGIN CERTIFICATE") == 1
    assert certificate(fresh_cloud) == leaf


def test_the_signature_moves_to_its_own_header_on_request(fresh_cloud: Cloud, receiver: Receiver) -> None:
    register(fresh_cloud, receiver, SignatureTokenToMsSignatureHeader=True)
    create(fresh_cloud)
    request = until(lambda: receiver.received)[0]
    assert "Authorization" not in request.headers
    assert signed(request, certificate(fresh_cloud))


# W6 -----------------------------------------------------------------------------------------------------------------
def test_ten_attempts_and_never_again_by_itself(fresh_cloud: Cloud, receiver: Receiver) -> None:
    fresh_cloud.sim("PUT", "/delivery", {"schedule_s": [0.02]})
    receiver.statuses = [503]
    register(fresh_cloud, receiver)
    create(fresh_cloud)
    wait_idle(fresh_cloud)
    assert len(receiver.received) == 10
    assert len({request.body for request in receiver.received}) == 1
    [event] = fresh_cloud.sim("GET", "/events?state=dead")
    attempts = fresh_cloud.sim("GET", "/deliveries")
    assert [(one["attempt"], one["status"]) for one in attempts] == [(n, 503) for n in range(1, 11)]
    receiver.statuses = [200]
    assert fresh_cloud.sim("POST", "/redeliver", {"events": [event["n"]]}) == {"queued": 1}
    wait_idle(fresh_cloud)
    assert len(receiver.received) == 11
    assert fresh_cloud.sim("GET", "/events?state=dead") == []


def test_an_attempt_times_out_and_an_unreachable_webhook_is_tried_again(fresh_cloud: Cloud, receiver: Receiver) -> None:
    fresh_cloud.sim("PUT", "/delivery", {"schedule_s": [0.02], "timeout_s": 0.15, "attempts": 2})
    receiver.delay_s = 0.4
    register(fresh_cloud, receiver)
    create(fresh_cloud)
    wait_idle(fresh_cloud)
    assert [one["error"][:12] for one in fresh_cloud.sim("GET", "/deliveries")] == ["TimeoutError"] * 2
    register(fresh_cloud, receiver, "PUT", WebhookUrl=f"http://127.0.0.1:{fresh_cloud.layout.ports['page']}/")
    create(fresh_cloud)
    wait_idle(fresh_cloud)
    assert "ConnectionRefused" in fresh_cloud.sim("GET", "/deliveries")[-1]["error"]


def test_connections_are_kept_and_used_in_parallel(fresh_cloud: Cloud, receiver: Receiver) -> None:
    receiver.delay_s = 0.15  # long enough for all to be under way at once on a busy machine
    register(fresh_cloud, receiver)
    fresh_cloud.sim("PUT", "/delivery", {"mode": "stopped"})
    for _ in range(16):
        create(fresh_cloud)
    stopped = fresh_cloud.sim("GET", "/idle")
    assert (stopped["idle"], stopped["pending"]) == (True, 16)
    fresh_cloud.sim("PUT", "/delivery", {"mode": "normal"})
    wait_idle(fresh_cloud)
    assert len(receiver.received) == 16
    assert receiver.most_at_once == 8
    assert len({request.connection for request in receiver.received}) == 8


# W7 -----------------------------------------------------------------------------------------------------------------
def test_dropped_events_never_arrive(fresh_cloud: Cloud, receiver: Receiver) -> None:
    register(fresh_cloud, receiver)
    fresh_cloud.sim("PUT", "/delivery", {"mode": "drop"})
    create(fresh_cloud)
    wait_idle(fresh_cloud)
    fresh_cloud.sim("PUT", "/delivery", {"mode": "normal"})
    own = create(fresh_cloud)
    wait_idle(fresh_cloud)
    assert receiver.events() == [("referral-created", own["id"])]
    assert [event["state"] for event in fresh_cloud.sim("GET", "/events")] == ["dropped", "delivered"]


def test_duplicates_are_equal_byte_for_byte(fresh_cloud: Cloud, receiver: Receiver) -> None:
    register(fresh_cloud, receiver)
    fresh_cloud.sim("PUT", "/delivery", {"mode": "duplicate"})
    for _ in range(3):
        create(fresh_cloud)
    wait_idle(fresh_cloud)
    assert sorted(Counter(request.body for request in receiver.received).values()) == [2, 2, 2]


def test_events_arrive_in_another_order(fresh_cloud: Cloud, receiver: Receiver) -> None:
    register(fresh_cloud, receiver)
    fresh_cloud.sim("PUT", "/delivery", {"mode": "reorder", "seed": 3, "parallel": 1})
    made = [create(fresh_cloud)["id"] for _ in range(8)]
    wait_idle(fresh_cloud)
    arrived = [referral_id for _, referral_id in receiver.events()]
    assert sorted(arrived) == sorted(made)
    assert arrived != made


def test_a_delay_holds_events_back(fresh_cloud: Cloud, receiver: Receiver) -> None:
    register(fresh_cloud, receiver)
    fresh_cloud.sim("PUT", "/delivery", {"delay_s": 0.4})
    started = time.monotonic()
    create(fresh_cloud)
    wait_idle(fresh_cloud)
    assert time.monotonic() - started >= 0.4
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("fault", "holds", "chain"),
    [
        ("wrong_signature", False, True),
        ("tampered_body", False, True),
        ("sha1_algorithm", False, True),
        ("expired_leaf", True, False),
        ("foreign_issuer", True, False),
        ("rotated_key", True, True),
        ("foreign_certificate_host", True, True),
        ("http_certificate_url", True, True),
    ],
)
def test_signature_faults(fresh_cloud: Cloud, receiver: Receiver, fault: str, holds: bool, chain: bool) -> None:
    true_leaf = certificate(fresh_cloud)
    register(fresh_cloud, receiver)
    fresh_cloud.sim("PUT", "/delivery", {"signature_fault": fault})
    create(fresh_cloud)
    request = until(lambda: receiver.received)[0]
    leaf = certificate(fresh_cloud)
    assert (signed(request, leaf), trusted(fresh_cloud, leaf)) == (holds, chain)
    assert (leaf != true_leaf) == (fault in ("expired_leaf", "foreign_issuer", "rotated_key"))
    url = request.headers["X-MS-Certificate-Url"]
    assert (url != fresh_cloud.layout.certificate_url) == fault.endswith(("_host", "_url"))
    assert request.headers["X-MS-Signature-Algorithm"] == ("rsa-sha1" if fault == "sha1_algorithm" else "rsa-sha256")


@pytest.mark.parametrize(
    ("fault", "header"),
    [
        ("missing_signature", "Authorization"),
        ("missing_certificate_url", "X-MS-Certificate-Url"),
        ("missing_algorithm", "X-MS-Signature-Algorithm"),
    ],
)
def test_missing_headers(fresh_cloud: Cloud, receiver: Receiver, fault: str, header: str) -> None:
    register(fresh_cloud, receiver)
    fresh_cloud.sim("PUT", "/delivery", {"signature_fault": fault})
    create(fresh_cloud)
    names = {"Authorization", "X-MS-Certificate-Url", "X-MS-Signature-Algorithm"}
    assert names - set(until(lambda: receiver.received)[0].headers) == {header}


def test_the_certificates_url_can_redirect(fresh_cloud: Cloud) -> None:
    fresh_cloud.sim("PUT", "/delivery", {"signature_fault": "redirecting_certificate_url"})
    answer = fresh_cloud.session.get(fresh_cloud.layout.certificate_url, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/cert/moved.cer")


def test_events_of_other_families(fresh_cloud: Cloud, receiver: Receiver) -> None:
    register(fresh_cloud, receiver, WebhookEvents=["invoice-ready"])
    fresh_cloud.sim("POST", "/events", {"name": "invoice-ready", "resource": "invoice", "resource_id": "inv-1"})
    create(fresh_cloud)
    wait_idle(fresh_cloud)
    assert [request.event["EventName"] for request in receiver.received] == ["invoice-ready"]
    assert [event["state"] for event in fresh_cloud.sim("GET", "/events")] == ["delivered", "unregistered"]


# W8 -----------------------------------------------------------------------------------------------------------------
def test_every_write_echoes(fresh_cloud: Cloud, receiver: Receiver) -> None:
    register(fresh_cloud, receiver)
    own, theirs = create_co_sell(fresh_cloud)
    fresh_cloud.api("PATCH", f"{REFERRALS}/{own['id']}", [replace("/campaignId", "C1")])
    fresh_cloud.sim("POST", f"/engagements/{own['engagementId']}/microsoft", {"action": "accept"})
    wait_idle(fresh_cloud)
    assert Counter(receiver.events()) == Counter(
        [
            ("referral-created", own["id"]),
            ("related-referral-created", theirs["id"]),
            ("referral-updated", own["id"]),
            ("related-referral-updated", theirs["id"]),
            ("referral-updated", own["id"]),
        ]
    )
