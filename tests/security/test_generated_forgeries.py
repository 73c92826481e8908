"""Ten thousand generated forgeries (P8), and as many signed but distorted bodies: typed answers, nothing else.

The forgeries go through the webhook's handler as the host calls it: what it answers is documented, and nothing it could
have put into a queue is there. Seeded, so that a failing run fails again; what was accepted is in the message.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from shared.errors import Rejected
from shared.handlers import partner_center_webhook
from shared.trust import WebhookTrust
from shared.webhook import event
from shared.webhook.event import Event
from shared.webhook.policy import CERTIFICATE_URL
from tests.fakes.service_bus import FakeQueues
from tests.security import pki
from tests.security.doubles import Hand, Shelf

COUNT = 10_000
BODY = pki.event_body()
type Pairs = list[tuple[str, str]]
type Request = tuple[Pairs, bytes, bytes]
"""Headers, body, and what the certificate's address serves."""


@cache
def genuine_signature() -> str:
    """The same each time; making it takes a millisecond."""
    return pki.sign(BODY)


def some_bytes(rng: random.Random, original: bytes) -> bytes:
    """Bit flips, insertions, deletions, repetitions: never the original."""
    data = bytearray(original)
    while bytes(data) == original:
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data)) if data else 0
            match rng.randrange(5):
                case 0 if data:
                    data[at] ^= 1 << rng.randrange(8)
                case 1:
                    data[at:at] = rng.randbytes(rng.randint(1, 8))
                case 2:
                    del data[at : at + rng.randint(1, 40)]
                case 3:
                    data[at:at] = data[at : at + 40]
                case _:
                    del data[at:]
    return bytes(data)


def with_header(headers: Pairs, name: str, value: str) -> Pairs:
    return [(key, value if key.lower() == name else kept) for key, kept in headers]


def other_body(rng: random.Random, headers: Pairs) -> Request:
    return headers, some_bytes(rng, BODY), pki.signer().der


def other_signature(rng: random.Random, headers: Pairs) -> Request:
    signature = some_bytes(rng, base64.b64decode(genuine_signature()))
    encoded = base64.b64encode(signature).decode()
    return with_header(headers, "authorization", "Signature " + encoded), BODY, pki.signer().der


def other_base64(rng: random.Random, headers: Pairs) -> Request:
    text = some_bytes(rng, genuine_signature().encode()).decode("latin-1")
    return with_header(headers, "authorization", "Signature " + text.strip(" ")), BODY, pki.signer().der


def other_header(rng: random.Random, headers: Pairs) -> Request:
    name, value = rng.choice([pair for pair in headers if pair[0] != "Content-Type"])
    text = some_bytes(rng, value.encode()).decode("latin-1")
    same = text.lower().split() == value.lower().split()  # the scheme's and the algorithm's case do not matter
    return with_header(headers, name.lower(), "none" if same else text), BODY, pki.signer().der


def fewer_headers(rng: random.Random, headers: Pairs) -> Request:
    return rng.sample(headers, rng.randrange(len(headers))), BODY, pki.signer().der


def repeated_header(rng: random.Random, headers: Pairs) -> Request:
    name, value = rng.choice(headers)
    again = (name.swapcase(), rng.choice([value, "", "x", "Signature AAAA"]))
    return rng.sample([*headers, again], len(headers) + 1), BODY, pki.signer().der


def other_url(rng: random.Random, headers: Pairs) -> Request:
    parts = [
        "https://",
        "http://",
        "//",
        "evil.example",
        CERTIFICATE_URL[8:49],
        "@",
        ":443",
        "/cert/",
        "..",
        "%2e",
        "\\",
    ]
    url = "".join(rng.choices([*parts, "?", "#", ".cer", "127.0.0.1", "[::1]", "\t", "é"], k=rng.randint(1, 7)))
    return with_header(headers, "x-ms-certificate-url", url), BODY, pki.signer().der


def other_certificate(rng: random.Random, headers: Pairs) -> Request:
    """The signed part of the certificate is changed, its key kept where possible."""
    whole = pki.signer().der
    tbs = pki.signer().certificate.tbs_certificate_bytes
    return headers, BODY, whole.replace(tbs, some_bytes(rng, tbs))


def other_signer(rng: random.Random, _headers: Pairs) -> Request:
    body = pki.event_body(AuditUri=str(rng.random()))
    signed = pki.headers(body, Authorization="Signature " + pki.sign(body, pki.rsa_key("stranger")))
    return signed, body, rng.choice([pki.signer().der, pki.self_signed().der])


def noise(rng: random.Random, _headers: Pairs) -> Request:
    names = [
        "Authorization",
        "x-ms-signature",
        "x-ms-certificate-url",
        "x-ms-signature-algorithm",
        "Content-Type",
        "X-Y",
    ]
    headers = [(rng.choice(names), rng.randbytes(rng.randrange(60)).decode("latin-1")) for _ in range(rng.randrange(8))]
    return headers, rng.randbytes(rng.randrange(300)), rng.randbytes(rng.randrange(300))


FORGERS: list[Callable[[random.Random, Pairs], Request]] = [
    other_body,
    other_signature,
    other_base64,
    other_header,
    fewer_headers,
    repeated_header,
    other_url,
    other_certificate,
    other_signer,
    noise,
]


def documented() -> set[tuple[str, int]]:
    """Code and status of every refusal, from the page that people read."""
    page = (Path(__file__).parents[2] / "docs/security-webhook.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|([^|]*`[^|]*)\| (4\d\d) \|", page, re.MULTILINE)
    return {(code, int(status)) for codes, status in rows for code in re.findall(r"`([A-Z0-9_]+)`", codes)}


def test_every_generated_forgery_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "cosell.webhook")  # ten thousand lines nobody reads
    genuine, queues = pki.headers(BODY), FakeQueues(Hand())
    answers: Counter[tuple[str, int]] = Counter()
    for number in range(COUNT):
        rng = random.Random(number)
        headers, body, certificate = FORGERS[number % len(FORGERS)](rng, genuine)
        trust = WebhookTrust(Shelf(certificate), Hand(), pki.policy())
        status, text = partner_center_webhook.handle(headers, body, trust, queues)
        assert 400 <= status < 500, f"{status} {text} to {headers!r} and {body!r}"
        answers[text.partition(":")[0], status] += 1
    assert set(answers) <= documented()
    assert answers.total() == COUNT
    assert len(answers) >= 12, f"too many forgeries fail for the same reason: {answers}"
    assert queues.counts == {}, "no queue was ever asked for anything"


def test_the_genuine_request_reaches_the_queue() -> None:
    """Otherwise the empty queues above would prove nothing."""
    queues = FakeQueues(Hand())
    trust = WebhookTrust(Shelf(), Hand(), pki.policy())
    assert partner_center_webhook.handle(pki.headers(BODY), BODY, trust, queues) == (200, "referral")
    assert queues.counts == {"queues.send": 1}


def distorted(rng: random.Random) -> bytes:
    """A body that a genuine but very confused sender could sign."""
    members = pki.event_members()
    odd: list[object] = [
        None,
        True,
        [],
        {},
        "",
        0,
        1e308,
        "\ud800",
        "\0",
        "x" * 3000,
        [[[]]],
        {"EventName": 1},
        "2026-02-30T00:00:00Z",
    ]
    for _ in range(rng.randint(0, 3)):
        members[rng.choice([*members, "eventname", "New"])] = rng.choice(odd)
    body = json.dumps(members, ensure_ascii=rng.random() < 0.9).encode("utf-8", "surrogatepass")
    return some_bytes(rng, body) if rng.random() < 0.5 else body


def test_every_distorted_body_gets_a_typed_answer() -> None:
    outcomes: Counter[str] = Counter()
    for number in range(COUNT):
        body = distorted(random.Random(number))
        try:
            # behind the signature already: this is what the signer could make us read
            outcome = event.read(body, pki.NOW, pki.policy()) if _is_text(body) else None
        except Rejected as refusal:
            outcomes[refusal.code] += 1
        else:
            assert outcome is None or isinstance(outcome, Event), number
            outcomes[outcome.kind if outcome else "not text"] += 1
    assert {"referral", "ignored", "MALFORMED_EVENT", "NOT_JSON", "DUPLICATE_MEMBER"} <= set(outcomes), outcomes


def _is_text(body: bytes) -> bool:
    """What `bounds.check_text` would have refused before."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
