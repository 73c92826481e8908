"""What a refusal says: its status, sentence and remedy, word for word, for every code of the trust decision.

The operator reads them in the log, so they are part of the behaviour. Which request leads to which code is the business
of `tests/security`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.x509 import Name, NameAttribute
from cryptography.x509.oid import NameOID

from shared.errors import Rejected
from shared.trust import WebhookTrust
from shared.webhook.policy import TrustPolicy
from tests.security import pki
from tests.security.doubles import Hand, Shelf

BODY = pki.event_body()
GOOD = pki.sign(BODY)

ASK_THE_PAGE = (
    "Nothing needs to be done unless Partner Center's own deliveries fail: then see docs/security-webhook.md."
)
ONLY_OURS = "Only Partner Center's own events are accepted here."
FORMAT = "Compare Partner Center's event format with docs/security-webhook.md; the sweep covers the change meanwhile."
SIGNER = "If Partner Center changed its certificate, follow docs/security-webhook.md; otherwise nothing needs doing."
FAR_SMALLER = "Partner Center's events are far smaller; nothing needs to be done about this request."
ALWAYS_SENT = "Partner Center always sends it; nothing needs to be done about this request."
MOVED = "If Partner Center moved its certificate, add the new address to the setting WEBHOOK_CERTIFICATE_URLS."
ISSUER = "'CN=Microsoft Azure RSA TLS Issuing CA 99,O=Microsoft Corporation,C=US'"
BUNDLE = f"If it is Partner Center's own, add its issuer, {ISSUER}, to the trust bundle: docs/security-webhook.md."

type Call = Callable[[], object]


def admit(headers: Any, body: bytes = BODY, certificate: bytes | None = None) -> object:
    return WebhookTrust(Shelf(certificate), Hand(), pki.policy()).admit(headers, body)


def header(**changes: str | None) -> Call:
    return lambda: admit(pki.headers(BODY, **changes))


def signed(body: bytes) -> Call:
    return lambda: admit(pki.headers(body), body)


def served(make: Callable[[], pki.Issued]) -> Call:
    def call() -> object:
        issued = make()
        key = issued.key if issued.key is not pki.ec_key() else None
        return admit(pki.headers(BODY, Authorization="Signature " + pki.sign(BODY, key)), certificate=issued.der)

    return call


def twice() -> object:
    return admit([*pki.headers(BODY), ("Authorization", "x")])


UNREADABLE = "The file is not exactly one readable X.509 certificate."
NOT_UTF8 = "NOT_UTF8"
CASES: list[tuple[str, int, str, str, Call]] = [
    ("NO_SIGNATURE", 401, "The request carries no signature.", ASK_THE_PAGE, header(Authorization=None)),
    (
        "AMBIGUOUS_SIGNATURE",
        401,
        "The request carries two signatures that differ.",
        ASK_THE_PAGE,
        header(x_ms_signature="AAAA"),
    ),
    (
        "WRONG_SCHEME",
        401,
        "The header authorization does not hold a signature in the form 'Signature <base64>'.",
        ASK_THE_PAGE,
        header(Authorization="Bearer x"),
    ),
    (
        "WRONG_SCHEME",
        401,
        "The header x-ms-signature does not hold a signature in the form 'Signature <base64>'.",
        ASK_THE_PAGE,
        header(Authorization=None, x_ms_signature=f"{GOOD[:40]} {GOOD[40:]}"),
    ),
    (
        "WRONG_ALGORITHM",
        401,
        "The signature's algorithm is not rsa-sha256.",
        ASK_THE_PAGE,
        header(x_ms_signature_algorithm="none"),
    ),
    ("BAD_BASE64", 401, "The signature is not base64.", ASK_THE_PAGE, header(Authorization="Signature !!!!")),
    (
        "WRONG_SIGNATURE",
        401,
        "The signature does not belong to this body and certificate.",
        ASK_THE_PAGE,
        header(Authorization="Signature AAAA"),
    ),
    (
        "NO_ALGORITHM",
        400,
        "The header x-ms-signature-algorithm is missing.",
        ASK_THE_PAGE,
        header(x_ms_signature_algorithm=None),
    ),
    ("DUPLICATE_HEADER", 400, "The header authorization is given twice.", ASK_THE_PAGE, twice),
    (
        "HEADER_TOO_LONG",
        400,
        "The header authorization is too long.",
        ASK_THE_PAGE,
        header(Authorization="Signature " + "A" * 4087),
    ),
    (
        "NO_CERTIFICATE_URL",
        400,
        "The header x-ms-certificate-url is missing.",
        ALWAYS_SENT,
        header(x_ms_certificate_url=None),
    ),
    (
        "FOREIGN_CERTIFICATE_URL",
        401,
        "The certificate's address is not on the list of allowed addresses.",
        MOVED,
        header(x_ms_certificate_url="https://evil.example/a.cer"),
    ),
    ("BODY_TOO_LARGE", 413, "The body is larger than 65536 bytes.", FAR_SMALLER, signed(BODY.ljust(65_537))),
    (
        "WRONG_CONTENT_TYPE",
        400,
        "The content type is not application/json in UTF-8.",
        ONLY_OURS,
        header(Content_Type="text/plain"),
    ),
    ("ENCODED_BODY", 400, "The body is compressed or otherwise encoded.", ONLY_OURS, header(Content_Encoding="br")),
    (NOT_UTF8, 400, "The body begins with a byte order mark.", ONLY_OURS, signed(b"\xef\xbb\xbf" + BODY)),
    (NOT_UTF8, 400, "The body begins with a byte order mark.", ONLY_OURS, signed(BODY.decode().encode("utf-16"))),
    (NOT_UTF8, 400, "The body begins with a byte order mark.", ONLY_OURS, signed(b"\xfe\xff" + BODY)),
    (NOT_UTF8, 400, "The body is not UTF-8.", ONLY_OURS, signed(b"\xc0" + BODY)),
    (NOT_UTF8, 400, "The body holds NUL bytes, as UTF-16 would.", ONLY_OURS, signed(b"\0" + BODY)),
    ("TOO_DEEP", 400, "The JSON is nested deeper than 16 levels.", ONLY_OURS, signed(b"[" * 17)),
    ("NOT_JSON", 400, "The body is not JSON.", ONLY_OURS, signed(b"{")),
    ("NOT_JSON", 400, "NaN is not JSON.", ONLY_OURS, signed(b'{"x": NaN}')),
    ("NOT_AN_OBJECT", 400, "The body is not a JSON object.", ONLY_OURS, signed(b"[]")),
    (
        "DUPLICATE_MEMBER",
        400,
        "A JSON object holds the same member twice (upper and lower case are one).",
        ONLY_OURS,
        signed(b'{"a": 1, "A": 1}'),
    ),
    *(
        (
            "MALFORMED_EVENT",
            400,
            f"The event's {name} is missing or has not the documented form.",
            FORMAT,
            signed(pki.event_body(**{name: value})),
        )
        for name, value in (
            ("EventName", "a b"),
            ("ResourceName", "a b"),
            ("ResourceUri", ""),
            ("ResourceChangeUtcDate", "2026-03-04"),
            ("ResourceChangeUtcDate", "2026-02-30T00:00:00Z"),
        )
    ),
    ("UNREADABLE_CERTIFICATE", 401, UNREADABLE, SIGNER, lambda: admit(pki.headers(BODY), certificate=b"x")),
    (
        "WEAK_CERTIFICATE",
        401,
        "The certificate's key is not RSA of 2048 bits or more.",
        SIGNER,
        served(lambda: pki.leaf(key=pki.ec_key())),
    ),
    (
        "EXPIRED_CERTIFICATE",
        401,
        "The certificate is expired or not yet valid.",
        SIGNER,
        served(lambda: pki.leaf(days=1)),
    ),
    (
        "UNTRUSTED_CERTIFICATE",
        401,
        "The certificate does not lead to a trusted root, or is not made for this purpose.",
        BUNDLE,
        served(lambda: pki.leaf(usages=[pki.CODE_SIGNING])),
    ),
    (
        "WRONG_SIGNER",
        401,
        "The certificate's organisation is not Microsoft Corporation.",
        SIGNER,
        served(lambda: pki.leaf(name=pki.subject(pki.HOST, "Contoso Ltd"))),
    ),
    (
        "WRONG_SIGNER",
        401,
        "The certificate is not made out to pcnotifications-dispatch.microsoft.com.",
        SIGNER,
        served(lambda: pki.leaf(hosts=["contoso.example"])),
    ),
]


@pytest.mark.parametrize(("code", "status", "sentence", "remedy", "call"), CASES, ids=[case[2] for case in CASES])
def test_words(code: str, status: int, sentence: str, remedy: str, call: Call) -> None:
    with pytest.raises(Rejected) as refusal:
        call()
    found = refusal.value
    assert (found.code, found.status, found.sentence, found.remedy) == (code, status, sentence, remedy)


def test_words_for_an_issuer_of_another_organisation() -> None:
    issuer = pki.authority("Contoso TLS CA 1", "Contoso Ltd", pki.root())
    policy = TrustPolicy(bundle=pki.root().pem + issuer.pem)
    with pytest.raises(Rejected) as refusal:
        WebhookTrust(Shelf(pki.leaf(issuer=issuer).der), Hand(), policy).admit(pki.headers(BODY), BODY)
    found = refusal.value
    assert (found.code, found.status, found.remedy) == ("WRONG_ISSUER", 401, SIGNER)
    assert found.sentence == "The certificate's issuer is not of Microsoft Corporation."


def test_a_long_name_of_an_issuer_is_cut() -> None:
    units = [NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, letter * 60) for letter in "abcde"]
    issuer = pki.Issued(pki.leaf(name=Name(units)).certificate, pki.signer().key)
    with pytest.raises(Rejected) as refusal:
        served(lambda: pki.leaf(issuer=issuer))()
    named = refusal.value.remedy.removeprefix("If it is Partner Center's own, add its issuer, ")
    assert len(named.removesuffix(", to the trust bundle: docs/security-webhook.md.")) == 200


IGNORED = {
    "This kind of event is not about referrals.": {"EventName": "invoice-ready"},
    "The change is older than 14 days; the sweep has covered it.": {
        "ResourceChangeUtcDate": pki.at(timedelta(days=-15))
    },
    "The change lies in the future.": {"ResourceChangeUtcDate": pki.at(timedelta(hours=1))},
    "The resource is not a referral of Partner Center.": {"ResourceUri": "https://evil.example/"},
}


@pytest.mark.parametrize("because", IGNORED)
def test_words_for_what_is_ignored(because: str) -> None:
    body = pki.event_body(**IGNORED[because])
    event = WebhookTrust(Shelf(), Hand(), pki.policy()).admit(pki.headers(body), body)
    assert event.because == because
