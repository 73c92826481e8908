"""The forgery suite once more, over the wire (P8, P10): the same requests, the real host, the documented answers.

What the tests of the decision cannot see is what HTTP and the host do to a request before: headers joined and trimmed,
bodies cut off. Refusals must stay refusals, nothing may reach a queue, and no request may cost memory.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.security import (
    pki,
    test_bounds,
    test_forged_certificates,
    test_forged_events,
    test_forgeries,
)
from tests.security.real_host import Answer, Pairs, RealHost, chunked, head, real_host

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("over-the-host")]

MEGABYTE = 1_000_000
EVENTS = "partner-center-events"
NOT_ON_THE_WIRE = {
    "algorithm-trailing-space": "HTTP trims header values",
    "url-leading-space": "HTTP trims header values",
    "url-line-break": "a line break ends the header: what follows is another one, which nobody reads",
}
"""Forgeries that HTTP turns into the genuine request."""
OTHERWISE = {
    # The host joins repeated headers with a comma, as the real one does.
    "repeated-authorization": ("WRONG_SCHEME", 401),
    "repeated-certificate-url": ("FOREIGN_CERTIFICATE_URL", 401),
    "repeated-algorithm": ("WRONG_ALGORITHM", 401),
    "repeated-content-type": ("WRONG_CONTENT_TYPE", 400),
    # Not HTTP at all: the host's own parser refuses it.
    "base64-line-break": ("", 400),
}
CERTIFICATES_OTHERWISE = {
    # A download of no or too many bytes counts as failed, so the sender is to come back.
    "empty": ("CERTIFICATE_UNAVAILABLE", 503),
    "ten-megabytes": ("CERTIFICATE_UNAVAILABLE", 503),
}
BODIES_OTHERWISE = {"ten-megabytes": ("", 413)}
"""More than the host itself takes."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHost]:
    forged = test_forged_certificates.FORGERIES
    files = {f"{name}.cer": test_forged_certificates.of(make()) for name, (_, make) in forged.items()}
    bundle = test_forged_certificates.policy_knowing_every_issuer().bundle
    with real_host(tmp_path_factory.mktemp("host"), bundle, {"signer.cer": pki.signer().der, **files}) as host:
        yield host


@pytest.fixture(autouse=True)
def _nothing_gets_in(host: RealHost) -> Iterator[None]:
    host.empty(EVENTS)
    yield
    assert host.queued() == {}


def signed(body: bytes, **changes: str | None) -> Pairs:
    return pki.headers(body, **changes)


def genuine(host: RealHost, certificate: str = "signer.cer") -> Answer:
    body = pki.event_body(AuditUri=str(time.monotonic_ns()))
    return host.post(signed(body), body, certificate)


# forgeries ------------------------------------------------------------------------------------------------------------
def test_every_forged_request_is_refused(host: RealHost) -> None:
    wrong = {}
    forgeries = {name: make for name, make in test_forgeries.FORGERIES.items() if name not in NOT_ON_THE_WIRE}
    for name, make in forgeries.items():
        forgery = make()
        expected = OTHERWISE.get(name, (forgery.code, forgery.status))
        answer = host.post(forgery.headers, forgery.body)
        if (answer.code, answer.status) != expected:
            wrong[name] = (answer, expected)
    assert wrong == {}
    assert len(forgeries) >= 90


def test_every_forged_certificate_is_refused(host: RealHost) -> None:
    wrong = {}
    for name, (code, make) in test_forged_certificates.FORGERIES.items():
        expected = CERTIFICATES_OTHERWISE.get(name, (code, 401))
        answer = host.post(test_forged_certificates.signed_by(make()), test_forged_certificates.BODY, f"{name}.cer")
        if (answer.code, answer.status) != expected:
            wrong[name] = (answer, expected)
    assert wrong == {}


def test_every_event_that_must_lead_to_nothing_does(host: RealHost) -> None:
    wrong = {}
    cases = {name: ({"ignored"}, 200, changes) for name, changes in test_forged_events.IGNORED.items()}
    cases |= {name: ({"MALFORMED_EVENT"}, 400, changes) for name, changes in test_forged_events.MALFORMED.items()}
    for name, (codes, status, changes) in cases.items():
        body = pki.event_body(**changes)
        answer = host.post(signed(body), body)
        if answer.code not in codes or answer.status != status:
            wrong[name] = answer
    assert wrong == {}
    assert len(cases) >= 50


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_only_post_has_a_route(host: RealHost, method: str) -> None:
    body = pki.event_body()
    request = head([f"{name}: {value}" for name, value in signed(body)], f"Content-Length: {len(body)}")
    assert host.exchange([request.replace(b"POST", method.encode(), 1), body]).status in (404, 405)


# what is genuine, and what is out of order ----------------------------------------------------------------------------
def test_one_genuine_event_is_accepted_and_a_second_delivery_is_the_same_message(host: RealHost) -> None:
    """Otherwise the refusals above would prove nothing."""
    body = pki.event_body()
    assert host.post(signed(body), body) == Answer(200, "referral")
    assert host.queued() == {EVENTS: 1}
    assert host.post(signed(body), body) == Answer(200, "referral")
    assert host.queued() == {EVENTS: 1}
    host.empty(EVENTS)


def test_without_its_certificate_the_sender_is_to_come_back(host: RealHost) -> None:
    assert genuine(host, "missing.cer") == Answer(503, "CERTIFICATE_UNAVAILABLE")


def test_without_the_queue_the_sender_is_to_come_back(host: RealHost) -> None:
    host.sandbox.kill("broker")
    try:
        answer = genuine(host)
    finally:
        host.sandbox.restart("broker")
    assert (answer.status, answer.code[:3]) == (503, "SB_")
    assert genuine(host) == Answer(200, "referral")
    assert host.queued() == {EVENTS: 1}
    host.empty(EVENTS)


# bounds ---------------------------------------------------------------------------------------------------------------
def test_every_body_that_is_too_much_is_refused(host: RealHost) -> None:
    wrong = {}
    with host.growth() as growth:
        for name, (code, status, make) in test_bounds.BODIES.items():
            body = make()
            answer = host.post(signed(body), body)
            if (answer.code, answer.status) != BODIES_OTHERWISE.get(name, (code, status)):
                wrong[name] = answer
        for name, (code, changes) in test_bounds.HEADERS.items():
            answer = host.post(signed(test_bounds.GOOD, **changes), test_bounds.GOOD)
            if answer != Answer(400, code):
                wrong[name] = answer
    assert wrong == {}
    assert growth[0] < 10 * MEGABYTE


def test_a_gzip_bomb_is_not_unpacked(host: RealHost) -> None:
    bomb = gzip.compress(bytes(50 * MEGABYTE))
    assert len(bomb) < 64 * 1024
    with host.growth() as growth:
        for changes, code in (({"Content_Encoding": "gzip"}, "ENCODED_BODY"), ({}, "NOT_UTF8")):
            assert host.post(signed(bomb, **changes), bomb) == Answer(400, code)
    assert growth[0] < 10 * MEGABYTE


def stream(size: int, step: int, pause_s: float = 0.0) -> Iterator[bytes]:
    """A body that nobody announced the length of, after the headers of a genuine request."""
    yield head([f"{name}: {value}" for name, value in signed(b"")], "Transfer-Encoding: chunked")
    piece = b" " * step
    for part in chunked(piece for _ in range(size // step)):
        time.sleep(pause_s)
        yield part


def test_a_hundred_megabytes_are_refused_without_being_kept(host: RealHost) -> None:
    announced = head([f"{name}: {value}" for name, value in signed(b"")], f"Content-Length: {100 * MEGABYTE}")
    with host.growth() as growth:
        assert host.exchange(stream(100 * MEGABYTE, MEGABYTE)).status == 413
        assert host.exchange([announced]).status == 413
        assert host.exchange(stream(100 * MEGABYTE, 2_000, 0.005)).status == 413
        with ThreadPoolExecutor(8) as senders:
            answers = list(senders.map(lambda _: host.exchange(stream(100 * MEGABYTE, 100_000)), range(8)))
    assert {answer.status for answer in answers} == {413}
    assert growth[0] < 10 * MEGABYTE
    assert genuine(host) == Answer(200, "referral")
    host.empty(EVENTS)
