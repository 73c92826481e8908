"""What the webhook trusts: certificate addresses, authorities, the signer's name, and the limits of a request.

Data only, checked once when it is made, so that a wrong setting is found at start and not by the first request. It must
never read a file or the environment: `shared.trust` assembles it. The decisions that use it begin in `verify`.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cached_property
from urllib.parse import urlsplit

from cryptography.x509 import Certificate, load_pem_x509_certificates
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Store
from pydantic import BaseModel, ConfigDict, Field, field_validator

CERTIFICATE_URL = "https://3psostorageacct.blob.core.windows.net/cert/pcnotifications-dispatch.microsoft.com.cer"
RESOURCE_ORIGINS = ("https://api.partnercenter.microsoft.com", "https://api.partner.microsoft.com")


class TrustPolicy(BaseModel):
    """Frozen; ValidationError names the field that cannot work."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bundle: bytes
    """PEM: self-signed certificates are the trusted roots, all others intermediates, trusted through a root only."""
    certificate_urls: tuple[str, ...] = Field((CERTIFICATE_URL,), min_length=1)
    """The complete list of addresses a signer's certificate may come from, compared character by character."""
    organization: str = "Microsoft Corporation"
    """The one organisation (O) of the signer's subject."""
    issuer_organization: str | None = "Microsoft Corporation"
    """The one organisation (O) of the authority that issued it; None: any authority the roots vouch for."""
    host_name: str = "pcnotifications-dispatch.microsoft.com"
    """A DNS name the certificate must carry; its CN counts only when it has no alternative names."""
    key_usages: frozenset[str] = frozenset({ExtendedKeyUsageOID.SERVER_AUTH.dotted_string})
    """Extended key usages (dotted), of which the signer's certificate must carry one."""
    min_rsa_bits: int = Field(2048, ge=2048)
    resource_origins: tuple[str, ...] = RESOURCE_ORIGINS
    """Scheme and host a referral's ResourceUri may name; nothing is ever fetched from there."""
    max_age: timedelta = timedelta(days=14)
    """Older changes are ignored: the sweep has seen them, and a captured request is of no more use."""
    max_ahead: timedelta = timedelta(minutes=10)
    """How far the sender's clock may be ahead of ours."""
    max_body_bytes: int = Field(64 * 1024, gt=0)
    max_depth: int = Field(16, gt=0)

    @field_validator("certificate_urls")
    @classmethod
    def _plain_https(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            parts = urlsplit(url)
            odd = parts.username is not None or parts.query or parts.fragment or not parts.hostname or parts.port == 0
            if parts.scheme != "https" or odd or not parts.path.endswith(".cer"):
                raise ValueError("give plain https:// addresses that end in .cer, without user name, query or fragment")
        return urls

    @field_validator("bundle")
    @classmethod
    def _with_a_root(cls, pem: bytes) -> bytes:
        try:
            authorities = load_pem_x509_certificates(pem)
        except ValueError:
            raise ValueError("the trust bundle is not a list of PEM certificates") from None
        if not any(map(is_root, authorities)):
            raise ValueError("the trust bundle holds no self-signed root certificate")
        return pem

    @cached_property
    def store(self) -> Store:
        """The trust anchors."""
        return Store([each for each in load_pem_x509_certificates(self.bundle) if is_root(each)])

    @cached_property
    def intermediates(self) -> list[Certificate]:
        """Links that may be used on the way to a root, never trusted by themselves."""
        return [each for each in load_pem_x509_certificates(self.bundle) if not is_root(each)]

    def ending(self, by: datetime) -> dict[str, date]:
        """The intermediates that are valid no more at `by` (aware), each with its last day; roots last for decades."""
        ends = {each.subject.rfc4514_string(): each.not_valid_after_utc for each in self.intermediates}
        return {name: end.date() for name, end in ends.items() if end < by}


def is_root(certificate: Certificate) -> bool:
    """Whether it names itself as issuer; sorts an operator's own bundle and vouches for nothing."""
    return certificate.issuer == certificate.subject
