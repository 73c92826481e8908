"""The signature of an event and the signer's certificate, true or faulty on demand.

RSA PKCS#1 v1.5 with SHA-256 over the exact bytes sent, certificate by URL, header names in mixed case, as documented.
The faults are what a receiver must refuse (or, with a rotated key, must recover from). Keys: `sandbox.authority`.
"""

from __future__ import annotations

import base64
from typing import Literal

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from sandbox import authority
from sandbox.layout import Layout

type Fault = Literal[
    "wrong_signature",
    "tampered_body",
    "expired_leaf",
    "foreign_issuer",
    "rotated_key",
    "foreign_certificate_host",
    "http_certificate_url",
    "redirecting_certificate_url",
    "sha1_algorithm",
    "missing_signature",
    "missing_certificate_url",
    "missing_algorithm",
]


class Signing:
    """Signs as the service does. Certificates made for a fault live as long as the process."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._signers: dict[str, authority.Signer] = {}

    def certificate(self, fault: Fault | None, *, pem: bool) -> bytes:
        """The leaf alone, as served at the certificate's URL."""
        encoding = serialization.Encoding.PEM if pem else serialization.Encoding.DER
        return self._signer(fault).certificate.public_bytes(encoding)

    def request(self, body: bytes, fault: Fault | None, *, own_header: bool) -> tuple[bytes, dict[str, str]]:
        """Body and headers to send."""
        signed = body + b" " if fault == "wrong_signature" else body
        algorithm: hashes.HashAlgorithm = hashes.SHA1() if fault == "sha1_algorithm" else hashes.SHA256()  # noqa: S303 - a fault to be refused
        signature = self._signer(fault).key.sign(signed, padding.PKCS1v15(), algorithm)
        token = f"Signature {base64.b64encode(signature).decode()}"
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-MS-Signature" if own_header else "Authorization": token,
            "X-MS-Certificate-Url": self._certificate_url(fault),
            "X-MS-Signature-Algorithm": "rsa-sha1" if fault == "sha1_algorithm" else "rsa-sha256",
        }
        missing = {
            "missing_signature": ("X-MS-Signature", "Authorization"),
            "missing_certificate_url": ("X-MS-Certificate-Url",),
            "missing_algorithm": ("X-MS-Signature-Algorithm",),
        }.get(fault or "", ())
        sent = body.replace(b'"AuditUri"', b'"auditUri"') if fault == "tampered_body" else body
        return sent, {name: value for name, value in headers.items() if name not in missing}

    def _certificate_url(self, fault: Fault | None) -> str:
        url = self._layout.certificate_url
        if fault == "foreign_certificate_host":
            return f"https://certificates.example/cert/{authority.SIGNER_HOST}.cer"
        return url.replace("https:", "http:") if fault == "http_certificate_url" else url

    def _signer(self, fault: Fault | None) -> authority.Signer:
        kind = fault if fault in ("expired_leaf", "foreign_issuer", "rotated_key") else "true"
        if kind not in self._signers:
            self._signers[kind] = (
                authority.load_signer(self._layout.webhook_signer)
                if kind == "true"
                else authority.issue_webhook_signer(
                    self._layout, expired=kind == "expired_leaf", foreign=kind == "foreign_issuer"
                )
            )
        return self._signers[kind]
