"""Whether a certificate is Partner Center's signer: form, chain, purpose, name, key.

Trust comes from the chain of signatures to a configured root; names only say *which* of the trusted certificates may
sign events. The certificate file holds the leaf alone, so the intermediates are the policy's. Every failure is
`Rejected` 401. Nothing is fetched here, no revocation list either; see `shared.clients.certificates`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    VerificationError,
)

from shared.errors import Rejected
from shared.webhook.policy import TrustPolicy

_PEM = b"-----BEGIN CERTIFICATE-----"
_LARGEST = 64 * 1024
_LONGEST_CHAIN = 4
"""Intermediates between the signer and a root; cross-signed ones count."""
_REMEDY = "If Partner Center changed its certificate, follow docs/security-webhook.md; otherwise nothing needs doing."


def signer_key(content: bytes, now: datetime, policy: TrustPolicy) -> RSAPublicKey:
    """The public key of the certificate in `content` (DER or PEM, exactly one), when the policy trusts it now."""
    certificate, key = _load(content)
    if not isinstance(key, RSAPublicKey) or key.key_size < policy.min_rsa_bits:
        raise _untrusted("WEAK_CERTIFICATE", f"The certificate's key is not RSA of {policy.min_rsa_bits} bits or more.")
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise _untrusted("EXPIRED_CERTIFICATE", "The certificate is expired or not yet valid.")
    _check_chain(certificate, now, policy)
    _check_names(certificate, policy)
    return key


def _load(content: bytes) -> tuple[x509.Certificate, object]:
    """The certificate, read to its end: what cannot be parsed shows here, not in the middle of a check."""
    unreadable = _untrusted("UNREADABLE_CERTIFICATE", "The file is not exactly one readable X.509 certificate.")
    if len(content) > _LARGEST:
        raise unreadable
    try:
        if content.lstrip().startswith(_PEM):
            (certificate,) = x509.load_pem_x509_certificates(content)
        else:
            certificate = x509.load_der_x509_certificate(content)
        _ = certificate.subject, certificate.issuer, certificate.extensions, certificate.not_valid_after_utc
        return certificate, certificate.public_key()
    except (
        ValueError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    ):
        raise unreadable from None


def _check_chain(certificate: x509.Certificate, now: datetime, policy: TrustPolicy) -> None:
    """Path validation as for the web, except for purposes and names, which the policy sets."""
    purpose = _one_purpose_of(policy.key_usages)
    authorities = ExtensionPolicy.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, Criticality.AGNOSTIC, purpose
    )
    signer = (
        ExtensionPolicy.webpki_defaults_ee()
        .require_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, purpose)
        .may_be_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    )
    verifier = (
        PolicyBuilder()
        .store(policy.store)
        .time(now)
        .max_chain_depth(_LONGEST_CHAIN)
        .extension_policies(ca_policy=authorities, ee_policy=signer)
        .build_client_verifier()
    )
    try:
        verifier.verify(certificate, policy.intermediates)
    except VerificationError:
        issuer = ascii(certificate.issuer.rfc4514_string())[:200]
        raise Rejected(
            "UNTRUSTED_CERTIFICATE",
            "The certificate does not lead to a trusted root, or is not made for this purpose.",
            f"If it is Partner Center's own, add its issuer, {issuer}, to the trust bundle: docs/security-webhook.md.",
            status=401,
        ) from None


def _one_purpose_of(
    usages: frozenset[str],
) -> Callable[[Policy, x509.Certificate, x509.ExtendedKeyUsage | None], None]:
    """A validator for the extended key usage; an authority without the extension is not limited."""

    def check(_policy: Policy, _certificate: x509.Certificate, found: x509.ExtendedKeyUsage | None) -> None:
        if found is not None and not usages & {usage.dotted_string for usage in found}:
            raise ValueError("made for another purpose")

    return check


def _check_names(certificate: x509.Certificate, policy: TrustPolicy) -> None:
    if _values(certificate.subject, NameOID.ORGANIZATION_NAME) != [policy.organization]:
        raise _untrusted("WRONG_SIGNER", f"The certificate's organisation is not {policy.organization}.")
    issued_by = _values(certificate.issuer, NameOID.ORGANIZATION_NAME)
    if policy.issuer_organization is not None and issued_by != [policy.issuer_organization]:
        raise _untrusted("WRONG_ISSUER", f"The certificate's issuer is not of {policy.issuer_organization}.")
    if policy.host_name not in _host_names(certificate):
        raise _untrusted("WRONG_SIGNER", f"The certificate is not made out to {policy.host_name}.")


def _host_names(certificate: x509.Certificate) -> list[str]:
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return _values(certificate.subject, NameOID.COMMON_NAME)
    return alternatives.value.get_values_for_type(x509.DNSName)


def _values(name: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    """All values of an attribute: a name with two organisations equals no list of one."""
    return [str(attribute.value) for attribute in name.get_attributes_for_oid(oid)]


def _untrusted(code: str, sentence: str) -> Rejected:
    return Rejected(code, sentence, _REMEDY, status=401)
