"""Forged requests (P8): headers, signatures, algorithms, certificate addresses. Certificates and events stand beside.

Each forgery starts from the genuine request and changes one thing; each must be refused with exactly this code and
status, and none may reach the network when its address or form is wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.errors import Rejected
from shared.trust import WebhookTrust
from shared.webhook.policy import CERTIFICATE_URL
from tests.security import pki
from tests.security.doubles import Hand, Shelf

BODY = pki.event_body()
GOOD = pki.sign(BODY)
HOST = "3psostorageacct.blob.core.windows.net"
FILE = "cert/pcnotifications-dispatch.microsoft.com.cer"


@dataclass(frozen=True)
class Forgery:
    code: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes = field(default=BODY)


def changed(code: str, status: int, **headers: str | None) -> Callable[[], Forgery]:
    """The genuine request with these headers instead."""
    return lambda: Forgery(code, status, pki.headers(BODY, **headers))


def body(content: bytes, code: str = "WRONG_SIGNATURE", status: int = 401) -> Callable[[], Forgery]:
    """The genuine request's headers over another body."""
    return lambda: Forgery(code, status, pki.headers(BODY), content)


def signature(encoded: str, code: str = "WRONG_SIGNATURE", status: int = 401) -> Callable[[], Forgery]:
    return changed(code, status, Authorization="Signature " + encoded)


def url(address: str) -> Callable[[], Forgery]:
    return changed("FOREIGN_CERTIFICATE_URL", 401, x_ms_certificate_url=address)


def algorithm(name: str) -> Callable[[], Forgery]:
    return changed("WRONG_ALGORITHM", 401, x_ms_signature_algorithm=name)


def repeated(name: str, value: str) -> Callable[[], Forgery]:
    return lambda: Forgery("DUPLICATE_HEADER", 400, [*pki.headers(BODY), (name, value)])


def hmac_with(encoding: Encoding, form: PublicFormat) -> str:
    """What a verifier that let the caller choose the algorithm would accept: the public key as a shared secret."""
    public = pki.signer().key.public_key().public_bytes(encoding, form)
    return base64.b64encode(hmac.new(public, BODY, hashlib.sha256).digest()).decode()


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def raw(encoded: str) -> bytes:
    return base64.b64decode(encoded)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def pss() -> str:
    key = pki.signer().key
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)
    return b64(key.sign(BODY, scheme, hashes.SHA256()))


MEMBERS = pki.event_members()

FORGERIES: dict[str, Callable[[], Forgery]] = {
    # headers
    "no-headers": lambda: Forgery("NO_SIGNATURE", 401, []),
    "no-signature": changed("NO_SIGNATURE", 401, Authorization=None),
    "no-certificate-url": changed("NO_CERTIFICATE_URL", 400, x_ms_certificate_url=None),
    "no-algorithm": changed("NO_ALGORITHM", 400, x_ms_signature_algorithm=None),
    "no-content-type": changed("WRONG_CONTENT_TYPE", 400, Content_Type=None),
    "empty-signature": changed("WRONG_SCHEME", 401, Authorization=""),
    "empty-ms-signature": changed("WRONG_SCHEME", 401, Authorization=None, x_ms_signature=""),
    "empty-certificate-url": changed("NO_CERTIFICATE_URL", 400, x_ms_certificate_url=""),
    "empty-algorithm": changed("NO_ALGORITHM", 400, x_ms_signature_algorithm=""),
    "two-different-signatures": changed("AMBIGUOUS_SIGNATURE", 401, x_ms_signature="Signature AAAA"),
    "two-signatures-one-empty": changed("WRONG_SCHEME", 401, x_ms_signature=""),
    "ms-signature-beside-bearer": changed("WRONG_SCHEME", 401, Authorization="Bearer abc", x_ms_signature=GOOD),
    "scheme-bearer": changed("WRONG_SCHEME", 401, Authorization="Bearer " + GOOD),
    "scheme-basic": changed("WRONG_SCHEME", 401, Authorization="Basic " + GOOD),
    "scheme-missing": changed("WRONG_SCHEME", 401, Authorization=GOOD),
    "scheme-alone": changed("WRONG_SCHEME", 401, Authorization="Signature"),
    "scheme-look-alike": changed("WRONG_SCHEME", 401, Authorization="Sıgnature " + GOOD),
    "scheme-twice": changed("WRONG_SCHEME", 401, Authorization="Signature Signature " + GOOD),
    "repeated-authorization": repeated("authorization", "Signature " + GOOD),
    "repeated-certificate-url": repeated("X-Ms-Certificate-Url", "https://evil.example/a.cer"),
    "repeated-algorithm": repeated("X-MS-SIGNATURE-ALGORITHM", "none"),
    "repeated-content-type": repeated("content-type", "text/plain"),
    "joined-certificate-urls": url(f"{CERTIFICATE_URL}, https://evil.example/a.cer"),
    "joined-signatures": changed("WRONG_SCHEME", 401, Authorization=f"Signature {GOOD}, Signature {GOOD}"),
    # the signature's encoding
    "base64-garbage": signature("!!!!", "BAD_BASE64"),
    "base64-inner-space": changed("WRONG_SCHEME", 401, Authorization=f"Signature {GOOD[:40]} {GOOD[40:]}"),
    "base64-line-break": changed("WRONG_SCHEME", 401, Authorization=f"Signature {GOOD[:64]}\r\n{GOOD[64:]}"),
    "base64-url-alphabet": signature("-_-_", "BAD_BASE64"),
    "base64-without-padding": signature(GOOD.rstrip("="), "BAD_BASE64"),
    "base64-extra-padding": signature(GOOD + "====", "BAD_BASE64"),
    "base64-spare-bits": signature(GOOD[:-3] + chr(ord(GOOD[-3]) + 1) + "==", "BAD_BASE64"),
    "base64-not-ascii": signature("é" + GOOD, "BAD_BASE64"),
    "base64-huge": signature("A" * 100_000, "HEADER_TOO_LONG", 400),
    "base64-as-hex": signature(raw(GOOD).hex()),
    # the signature's value
    "signature-short": signature("AAAA"),
    "signature-zero": signature(b64(bytes(256))),
    "signature-one": signature(b64(bytes(255) + b"\x01")),
    "signature-all-ones": signature(b64(b"\xff" * 256)),
    "signature-leading-zero": signature(b64(b"\0" + raw(GOOD))),
    "signature-cut": signature(b64(raw(GOOD)[:-1])),
    "signature-first-bit-flipped": signature(b64(flipped(raw(GOOD), 7))),
    "signature-last-bit-flipped": signature(b64(flipped(raw(GOOD), 2047))),
    "signature-of-another-body": lambda: Forgery("WRONG_SIGNATURE", 401, pki.headers(pki.event_body(AuditUri="x"))),
    "signature-by-another-key": signature(pki.sign(BODY, pki.rsa_key("stranger"))),
    "signature-sha1": signature(pki.sign(BODY, algorithm=hashes.SHA1())),  # noqa: S303 -- the forgery itself
    "signature-sha512": signature(pki.sign(BODY, algorithm=hashes.SHA512())),
    "signature-pss": lambda: signature(pss())(),
    "signature-is-the-digest": signature(b64(hashlib.sha256(BODY).digest())),
    "hmac-keyed-with-public-pem": signature(hmac_with(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
    "hmac-keyed-with-public-der": signature(hmac_with(Encoding.DER, PublicFormat.PKCS1)),
    "ms-signature-of-another-body": changed("WRONG_SIGNATURE", 401, Authorization=None, x_ms_signature=pki.sign(b"{}")),
    # the body
    "body-empty": body(b""),
    "body-first-bit-flipped": body(flipped(BODY, 4), "WRONG_SIGNATURE"),
    "body-last-bit-flipped": body(flipped(BODY, len(BODY) * 8 - 8)),
    "body-other-referral": body(BODY.replace(pki.REFERRAL.encode(), b"00000000-0000-4000-8000-000000000000")),
    "body-compact": body(json.dumps(MEMBERS, separators=(",", ":")).encode()),
    "body-members-reordered": body(json.dumps(dict(reversed(MEMBERS.items())), indent=4).encode()),
    "body-trailing-newline": body(BODY + b"\n"),
    "body-crlf": body(BODY.replace(b"\n", b"\r\n")),
    "body-with-bom": body(b"\xef\xbb\xbf" + BODY, "NOT_UTF8", 400),
    "body-utf16": body(BODY.decode().encode("utf-16-le"), "NOT_UTF8", 400),
    # algorithms
    "algorithm-none": algorithm("none"),
    "algorithm-none-odd-case": algorithm("nOnE"),
    "algorithm-rsa-sha1": algorithm("rsa-sha1"),
    "algorithm-rsa-md5": algorithm("rsa-md5"),
    "algorithm-hmac-sha256": algorithm("hmac-sha256"),
    "algorithm-rs256": algorithm("RS256"),
    "algorithm-rsa-pss": algorithm("rsa-pss-sha256"),
    "algorithm-unknown": algorithm("rot13"),
    "algorithm-trailing-space": algorithm("rsa-sha256 "),
    "algorithm-long-s": algorithm("rſa-ſha256"),
    "algorithm-two": algorithm("rsa-sha256, none"),
    # the certificate's address
    "url-http": url(f"http://{HOST}/{FILE}"),
    "url-foreign-host": url(f"https://evil.example/{FILE}"),
    "url-host-as-suffix": url(f"https://evil{HOST}/{FILE}"),
    "url-host-as-prefix": url(f"https://{HOST}.evil.example/{FILE}"),
    "url-sibling-account": url(f"https://3psostorageacct2.blob.core.windows.net/{FILE}"),
    "url-user-info": url(f"https://{HOST}@evil.example/{FILE}"),
    "url-own-user-info": url(f"https://user@{HOST}/{FILE}"),
    "url-default-port": url(f"https://{HOST}:443/{FILE}"),
    "url-other-port": url(f"https://{HOST}:8443/{FILE}"),
    "url-trailing-dot": url(f"https://{HOST}./{FILE}"),
    "url-upper-case": url(f"https://{HOST.upper()}/{FILE}"),
    "url-look-alike-letters": url(f"https://3psostorаgeacct.blob.core.windows.net/{FILE}"),
    "url-sibling-file": url(f"https://{HOST}/cert/other.cer"),
    "url-dot-segments": url(f"https://{HOST}/cert/../{FILE}"),
    "url-percent-encoded": url(f"https://{HOST}/cert%2Fpcnotifications-dispatch.microsoft.com.cer"),
    "url-backslash": url(f"https://evil.example\\@{HOST}/{FILE}"),
    "url-query": url(f"{CERTIFICATE_URL}?x=1"),
    "url-fragment": url(f"{CERTIFICATE_URL}#x"),
    "url-leading-space": url(f" {CERTIFICATE_URL}"),
    "url-line-break": url(f"{CERTIFICATE_URL}\r\nX-Other: 1"),
    "url-file": url("file:///etc/passwd"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forgery_is_refused(name: str) -> None:
    forgery = FORGERIES[name]()
    shelf = Shelf()
    with pytest.raises(Rejected) as refusal:
        WebhookTrust(shelf, Hand(), pki.policy()).admit(forgery.headers, forgery.body)
    assert (refusal.value.code, refusal.value.status) == (forgery.code, forgery.status)
    assert refusal.value.sentence.endswith(".")
    assert refusal.value.remedy.endswith(".")
    assert shelf.fetches == (forgery.code == "WRONG_SIGNATURE"), "a request of the wrong form costs no download"


def test_the_genuine_request_is_accepted() -> None:
    """Otherwise the refusals above would prove nothing."""
    event = WebhookTrust(Shelf(), Hand(), pki.policy()).admit(pki.headers(BODY), BODY)
    assert str(event.referral_id) == pki.REFERRAL


def test_there_are_at_least_sixty() -> None:
    assert len(FORGERIES) >= 60
