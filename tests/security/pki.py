"""A public-key infrastructure for the tests: Partner Center's signer as it should be, and certificates that lie.

RSA keys are made once per process and kept by name; certificates are cheap. Times hang on `NOW`, which the tests use as
the clock; it is the moment of the run, because the real host, to which the same forgeries go, has no other.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.webhook.policy import CERTIFICATE_URL, TrustPolicy

NOW = datetime.now(UTC).replace(microsecond=0)
HOST = "pcnotifications-dispatch.microsoft.com"
MICROSOFT = "Microsoft Corporation"
REFERRAL = "1f0c6a52-7d34-4a1b-8a55-3f1f6b2d9e70"
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
CODE_SIGNING = ExtendedKeyUsageOID.CODE_SIGNING


@dataclass(frozen=True)
class Issued:
    certificate: x509.Certificate
    key: Any

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The key of that name; the same one all through the run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def subject(common_name: str, *organizations: str) -> x509.Name:
    values = [(NameOID.COUNTRY_NAME, "US")]
    values += [(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    values += [(NameOID.COMMON_NAME, common_name)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in values])


@cache
def root(name: str = "Fjordvik Global Root G2") -> Issued:
    return authority(name, "Fjordvik Trust", None)


@cache
def intermediate() -> Issued:
    return authority("Microsoft Azure RSA TLS Issuing CA 99", MICROSOFT, root())


def authority(
    common_name: str,
    organization: str,
    parent: Issued | None,
    usages: Sequence[x509.ObjectIdentifier] = (),
    *,
    key: rsa.RSAPrivateKey | None = None,
) -> Issued:
    key = key or rsa_key(common_name)
    name = subject(common_name, organization)
    builder = _builder(name, key, parent, days=3650)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(authority=True), critical=True)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return Issued(builder.sign(parent.key if parent else key, hashes.SHA256()), key)


def leaf(
    *,
    issuer: Issued | None = None,
    name: x509.Name | None = None,
    hosts: Sequence[str] | None = (HOST,),
    usages: Sequence[x509.ObjectIdentifier] | None = (SERVER, CLIENT),
    key: Any = None,
    days: int = 365,
    starts: datetime = NOW - timedelta(days=30),
    ca: bool = False,
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Issued:
    """The signer's certificate; every argument is one way in which it can lie. `issuer=None`: the genuine one."""
    key = key or rsa_key("signer")
    parent = issuer or intermediate()
    builder = _builder(name or subject(HOST, MICROSOFT), key, parent, days=days, starts=starts)
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(authority=ca), critical=True)
    if usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if hosts is not None:
        names = [x509.DNSName(host) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical)
    return Issued(builder.sign(parent.key, hashes.SHA256()), key)


@cache
def self_signed() -> Issued:
    key = rsa_key("stranger")
    builder = _builder(subject(HOST, MICROSOFT), key, None, days=365)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([SERVER]), critical=False)
    return Issued(builder.sign(key, hashes.SHA256()), key)


@cache
def signer() -> Issued:
    """Partner Center's own."""
    return leaf()


@cache
def policy() -> TrustPolicy:
    return TrustPolicy(bundle=root().pem + intermediate().pem)


def at(after: timedelta, offset: str = "+00:00") -> str:
    """That long after `NOW` (before it when negative), as Partner Center writes a moment."""
    return f"{NOW + after:%Y-%m-%dT%H:%M:%S}.1041877{offset}"


def event_members(**changes: Any) -> dict[str, Any]:
    members = {
        "EventName": "referral-updated",
        "ResourceUri": f"https://api.partnercenter.microsoft.com/engagements/v1/referrals/{REFERRAL}",
        "ResourceName": "referral",
        "AuditUri": None,
        "ResourceChangeUtcDate": at(timedelta(seconds=-19)),
    }
    return {**members, **changes}


def event_body(**changes: Any) -> bytes:
    """Indented, as Partner Center sends it."""
    return json.dumps(event_members(**changes), indent=4).encode()


def sign(body: bytes, key: rsa.RSAPrivateKey | None = None, algorithm: hashes.HashAlgorithm | None = None) -> str:
    signature = (key or signer().key).sign(body, padding.PKCS1v15(), algorithm or hashes.SHA256())
    return base64.b64encode(signature).decode()


def headers(body: bytes, **changes: str | None) -> list[tuple[str, str]]:
    """The headers of a genuine request; a change replaces one (underscores are dashes), None removes it."""
    found: dict[str, str | None] = {
        "Content-Type": "application/json",
        "Authorization": None if "Authorization" in changes else "Signature " + sign(body),
        "X-MS-Certificate-Url": CERTIFICATE_URL,
        "X-MS-Signature-Algorithm": "rsa-sha256",
    }
    for name, value in changes.items():
        dashed = name.replace("_", "-")
        found = {key: kept for key, kept in found.items() if key.lower() != dashed.lower()}
        found[dashed] = value
    return [(name, value) for name, value in found.items() if value is not None]


def _builder(
    name: x509.Name, key: Any, parent: Issued | None, *, days: int, starts: datetime = NOW - timedelta(days=30)
) -> x509.CertificateBuilder:
    signing_key = parent.key if parent else key
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(parent.certificate.subject if parent else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(starts + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
