"""Forged certificates (P8): served from the allowed address, with a correct signature by their own key, and refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PublicFormat, pkcs12
from cryptography.x509.oid import NameOID

from shared.errors import Rejected
from shared.trust import WebhookTrust
from shared.webhook.policy import TrustPolicy
from tests.security import pki
from tests.security.doubles import Hand, Shelf
from tests.security.pki import HOST, MICROSOFT, NOW, Issued, leaf, subject

BODY = pki.event_body()

type Served = Issued | bytes
"""A certificate with its key, or just bytes that claim to be one."""


def home_made() -> Issued:
    """An issuer named as the genuine one, under a root named as the genuine one, with other keys."""
    name = pki.root().certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    root = pki.authority(str(name), "Fjordvik Trust", None, key=pki.rsa_key("stranger"))
    return pki.authority("Microsoft Azure RSA TLS Issuing CA 99", MICROSOFT, root, key=pki.rsa_key("home-made issuer"))


def named(*attributes: tuple[x509.ObjectIdentifier, str]) -> Callable[[], Served]:
    return lambda: leaf(name=x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes]))


def organization(value: str) -> Callable[[], Served]:
    return named((NameOID.ORGANIZATION_NAME, value), (NameOID.COMMON_NAME, HOST))


def of(served: Served) -> bytes:
    return served if isinstance(served, bytes) else served.der


def customer() -> Issued:
    """A customer of a public authority under the same root, for code signing."""
    issuer = pki.authority("Microsoft ID Verified CS EOC CA 99", MICROSOFT, pki.root(), [pki.CODE_SIGNING])
    return leaf(issuer=issuer, name=subject("Contoso Ltd", "Contoso Ltd"), usages=[pki.CODE_SIGNING], hosts=None)


def code_signing_issuer_tls_leaf() -> Issued:
    """A leaf with the right purpose below an issuer that may only issue for another one."""
    return leaf(issuer=pki.authority("Microsoft ID Verified CS AOC CA 99", MICROSOFT, pki.root(), [pki.CODE_SIGNING]))


def contoso_issuer() -> Issued:
    return leaf(issuer=pki.authority("Contoso TLS CA 1", "Contoso Ltd", pki.root()))


def archive() -> bytes:
    own = pki.signer()
    return pkcs12.serialize_key_and_certificates(b"x", own.key, own.certificate, None, BestAvailableEncryption(b"pw"))


def damaged() -> bytes:
    """One bit of the serial number."""
    content = pki.signer().der
    number = pki.signer().certificate.serial_number
    size = (number.bit_length() + 8) // 8
    return content.replace(number.to_bytes(size), (number ^ 1).to_bytes(size), 1)


UNTRUSTED, WRONG, WEAK = "UNTRUSTED_CERTIFICATE", "WRONG_SIGNER", "WEAK_CERTIFICATE"
UNREADABLE, EXPIRED = "UNREADABLE_CERTIFICATE", "EXPIRED_CERTIFICATE"

FORGERIES: dict[str, tuple[str, Callable[[], Served]]] = {
    # chain
    "self-signed": (UNTRUSTED, pki.self_signed),
    "home-made-authority-with-genuine-names": (UNTRUSTED, lambda: leaf(issuer=home_made())),
    "unknown-root": (UNTRUSTED, lambda: leaf(issuer=pki.authority("Stranger", MICROSOFT, None))),
    "issued-by-the-signer": (UNTRUSTED, lambda: leaf(issuer=pki.signer(), key=pki.rsa_key("stranger"))),
    "authority-as-leaf": (UNTRUSTED, lambda: leaf(ca=True)),
    "genuine-intermediate-as-leaf": (UNTRUSTED, pki.intermediate),
    "genuine-root-as-leaf": (UNTRUSTED, pki.root),
    "unknown-critical-extension": (
        UNTRUSTED,
        lambda: leaf(extra=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]),
    ),
    "chain-too-long": (UNTRUSTED, lambda: leaf(issuer=deep(6))),
    # purpose
    "code-signing-customer": (UNTRUSTED, customer),
    "tls-leaf-of-a-code-signing-issuer": (UNTRUSTED, code_signing_issuer_tls_leaf),
    "purpose-client-only": (UNTRUSTED, lambda: leaf(usages=[pki.CLIENT])),
    "purpose-code-signing": (UNTRUSTED, lambda: leaf(usages=[pki.CODE_SIGNING])),
    "purpose-missing": (UNTRUSTED, lambda: leaf(usages=None)),
    # names
    "issuer-microsoft-subject-contoso": (WRONG, lambda: leaf(name=subject(HOST, "Contoso Ltd"))),
    "issuer-contoso-subject-microsoft": ("WRONG_ISSUER", contoso_issuer),
    "organization-missing": (WRONG, named((NameOID.COMMON_NAME, HOST))),
    "organization-inside-common-name": (WRONG, named((NameOID.COMMON_NAME, f"{HOST}, O={MICROSOFT}"))),
    "organization-as-unit": (WRONG, named((NameOID.ORGANIZATIONAL_UNIT_NAME, MICROSOFT), (NameOID.COMMON_NAME, HOST))),
    "two-organizations": (WRONG, lambda: leaf(name=subject(HOST, "Contoso Ltd", MICROSOFT))),
    "organization-trailing-dot": (WRONG, organization(MICROSOFT + ".")),
    "organization-trailing-space": (WRONG, organization(MICROSOFT + " ")),
    "organization-lower-case": (WRONG, organization(MICROSOFT.lower())),
    "organization-homoglyph": (WRONG, organization(MICROSOFT.replace("o", "о"))),
    "organization-full-width": (WRONG, organization("Ｍicrosoft Corporation")),
    "organization-nul": (WRONG, organization(MICROSOFT + "\0 of Contoso")),
    "organization-longer": (WRONG, organization(MICROSOFT + " Partner")),
    "host-of-another-service": (WRONG, lambda: leaf(hosts=["www.microsoft.com"])),
    "host-only-in-common-name": (WRONG, lambda: leaf(hosts=["contoso.example"])),
    "host-wildcard": (WRONG, lambda: leaf(hosts=["*.microsoft.com"])),
    "host-as-suffix": (WRONG, lambda: leaf(hosts=["x" + HOST])),
    "host-as-prefix": (WRONG, lambda: leaf(hosts=[HOST + ".contoso.example"])),
    "no-alternative-name-other-common-name": (WRONG, lambda: leaf(hosts=None, name=subject("contoso", MICROSOFT))),
    # time
    "expired": (EXPIRED, lambda: leaf(starts=NOW - timedelta(days=400), days=399)),
    "expired-a-second-ago": (EXPIRED, lambda: leaf(starts=NOW - timedelta(days=1, seconds=1), days=1)),
    "not-yet-valid": (EXPIRED, lambda: leaf(starts=NOW + timedelta(days=1))),
    # key
    "rsa-1024": (WEAK, lambda: leaf(key=pki.rsa_key("short", 1024))),
    "elliptic-curve": (WEAK, lambda: leaf(key=pki.ec_key())),
    # form
    "empty": (UNREADABLE, lambda: b""),
    "garbage": (UNREADABLE, lambda: bytes(range(256)) * 4),
    "html": (UNREADABLE, lambda: b"<html><body>ResourceNotFound</body></html>" + pki.signer().pem),
    "pkcs12": (UNREADABLE, archive),
    "public-key-only": (
        UNREADABLE,
        lambda: pki.signer().key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ),
    "pem-with-two-certificates": (UNREADABLE, lambda: pki.signer().pem + pki.self_signed().pem),
    "pem-cut-short": (UNREADABLE, lambda: pki.signer().pem[:600]),
    "der-cut-short": (UNREADABLE, lambda: pki.signer().der[:-1]),
    "der-with-appendix": (UNREADABLE, lambda: pki.signer().der + b"\0"),
    "ten-megabytes": (UNREADABLE, lambda: pki.signer().der + bytes(10_000_000)),
    "one-bit-changed": (UNTRUSTED, damaged),
}


def deep(levels: int) -> Issued:
    """An authority below that many others, all of which the policy of its test knows."""
    issuer = pki.root()
    for level in range(levels):
        issuer = pki.authority(f"Level {level}", MICROSOFT, issuer, key=pki.rsa_key("level"))
    return issuer


@cache
def policy_knowing_every_issuer() -> TrustPolicy:
    """All issuers above are in the bundle as intermediates, so that it is not their absence that refuses."""
    known = [pki.root(), pki.intermediate()]
    known += [pki.authority("Microsoft ID Verified CS EOC CA 99", MICROSOFT, pki.root(), [pki.CODE_SIGNING])]
    known += [pki.authority("Microsoft ID Verified CS AOC CA 99", MICROSOFT, pki.root(), [pki.CODE_SIGNING])]
    known += [pki.authority("Contoso TLS CA 1", "Contoso Ltd", pki.root()), home_made(), *map(deep, range(1, 7))]
    return TrustPolicy(bundle=b"".join(each.pem for each in known))


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_certificate_is_refused(name: str) -> None:
    code, make = FORGERIES[name]
    served = make()
    with pytest.raises(Rejected) as refusal:
        WebhookTrust(Shelf(of(served)), Hand(), policy_knowing_every_issuer()).admit(signed_by(served), BODY)
    assert (refusal.value.code, refusal.value.status) == (code, 401)


def signed_by(served: Served) -> list[tuple[str, str]]:
    """Signed by the forged certificate's own key where that is RSA, so that only the certificate is at fault."""
    key = pki.signer().key if isinstance(served, bytes) or served.key is pki.ec_key() else served.key
    return pki.headers(BODY, Authorization="Signature " + pki.sign(BODY, key))


def test_the_same_policy_accepts_the_genuine_certificate() -> None:
    trust = WebhookTrust(Shelf(), Hand(), policy_knowing_every_issuer())
    assert str(trust.admit(pki.headers(BODY), BODY).referral_id) == pki.REFERRAL


def test_four_authorities_in_a_row_are_not_too_many() -> None:
    served = leaf(issuer=deep(4))
    assert (
        WebhookTrust(Shelf(served.der), Hand(), policy_knowing_every_issuer())
        .admit(signed_by(served), BODY)
        .referral_id
    )


def test_the_remedy_names_the_missing_issuer() -> None:
    served = leaf(issuer=pki.authority("Microsoft Azure RSA TLS Issuing CA 77", MICROSOFT, pki.root()))
    with pytest.raises(Rejected, match="Issuing CA 77"):
        WebhookTrust(Shelf(served.der), Hand(), policy_knowing_every_issuer()).admit(signed_by(served), BODY)
