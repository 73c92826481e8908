"""Keys and certificates of one sandbox: TLS authority, token key, and the chain that signs Partner Center's webhooks.

Everything is made once per state directory by `ensure` and never replaced, so that a restarted process is believed by
those who trusted it before. Nothing here is trusted outside the sandbox: the CA lives in a file, not in a trust store.
`issue_webhook_signer` also makes the certificates that a receiver must refuse. Served over TLS by `sandbox.web`.
"""

from __future__ import annotations

import fcntl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.layout import Layout

SIGNER_HOST = "pcnotifications-dispatch.microsoft.com"
_ISSUER_FILE = "webhook-issuer.pem"
"""The intermediate and its key; only the sandbox itself signs with it, so the layout does not name it."""


@dataclass(frozen=True)
class Signer:
    """A certificate with the key that goes with it."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM) + private_pem(self.key)


def ensure(layout: Layout) -> None:
    """Make whatever is missing in the state directory. Safe to call from several processes at once."""
    with (layout.state / ".authority.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (layout.ca_bundle.exists() and layout.server_certificate.exists() and layout.server_key.exists()):
            _make_tls(layout)
        if not layout.token_key.exists():
            _write(layout.token_key, private_pem(_new_key()))
        if not (layout.webhook_trust_bundle.exists() and layout.webhook_signer.exists()):
            _make_webhook_chain(layout)


def load_signer(path: Path) -> Signer:
    """Certificate and key from one PEM file."""
    pem = path.read_bytes()
    return Signer(x509.load_pem_x509_certificate(pem), private_key(path, pem))


def private_key(path: Path, pem: bytes) -> rsa.RSAPrivateKey:
    """The RSA key in a file of ours; whether its numbers are primes is not tried again, which takes 50 ms a key."""
    key = serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{path} holds no RSA key; delete the state directory and start again")
    return key


def issue_webhook_signer(layout: Layout, *, expired: bool = False, foreign: bool = False) -> Signer:
    """A fresh leaf for the webhook signer's host: valid, or `expired`, or from a `foreign` issuer nobody trusts."""
    issuer = (
        _certificate_authority("Contoso Cloud TLS CA 01", "Contoso Ltd")
        if foreign
        else load_signer(layout.state / _ISSUER_FILE)
    )
    return _leaf(issuer, expired=expired)


def private_pem(key: rsa.RSAPrivateKey) -> bytes:
    """PKCS#8, without a password."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _make_tls(layout: Layout) -> None:
    authority = trustme.CA(organization_name="Sandbox", organization_unit_name="Loopback only")
    server = authority.issue_cert("localhost", "127.0.0.1", "::1")
    _write(layout.server_certificate, b"".join(blob.bytes() for blob in server.cert_chain_pems))
    _write(layout.server_key, server.private_key_pem.bytes())
    _write(layout.ca_bundle, authority.cert_pem.bytes())


def _make_webhook_chain(layout: Layout) -> None:
    root = _certificate_authority("Sandbox Global Root G2", "Sandbox")
    issuer = _certificate_authority("Sandbox Azure RSA TLS Issuing CA 03", "Microsoft Corporation", parent=root)
    _write(layout.state / _ISSUER_FILE, issuer.pem())
    _write(layout.webhook_signer, _leaf(issuer).pem())
    anchors = [root.certificate, issuer.certificate]
    _write(layout.webhook_trust_bundle, b"".join(c.public_bytes(serialization.Encoding.PEM) for c in anchors))


def _certificate_authority(common_name: str, organization: str, parent: Signer | None = None) -> Signer:
    key = _new_key()
    subject = _name(common_name, organization)
    issuer = parent.certificate.subject if parent else subject
    signing_key = parent.key if parent else key
    now = datetime.now(UTC)
    certificate = (
        _builder(subject, issuer, key, signing_key, now - timedelta(days=365), now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0 if parent else None), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .sign(signing_key, hashes.SHA256())
    )
    return Signer(certificate, key)


def _leaf(issuer: Signer, *, expired: bool = False) -> Signer:
    """Shaped as the TLS certificates of Microsoft's public services are: server and client authentication."""
    key = _new_key()
    now = datetime.now(UTC)
    end = now - timedelta(days=1) if expired else now + timedelta(days=1825)
    subject = _name(SIGNER_HOST, "Microsoft Corporation")
    certificate = (
        _builder(subject, issuer.certificate.subject, key, issuer.key, now - timedelta(days=30), end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SIGNER_HOST)]), critical=False)
        .sign(issuer.key, hashes.SHA256())
    )
    return Signer(certificate, key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPrivateKey,
    signing_key: rsa.RSAPrivateKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
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


def _name(common_name: str, organization: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and readable by the owner only."""
    half = path.with_suffix(".new")
    half.touch(mode=0o600)
    half.write_bytes(content)
    half.replace(path)
