"""The two steps of the trust decision, with the fetching of the certificate between them.

`check_request` decides all that needs no certificate and names the one address it may come from; `verify` decides the
rest and returns the event. Cheap and unparsed before expensive, authenticated before parsed. Pure: the caller brings
the bytes and the time (`shared.trust`). Failures are `Rejected` with the status to answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.errors import Rejected
from shared.webhook import bounds, certificate, event, signature
from shared.webhook.event import Event
from shared.webhook.policy import TrustPolicy
from shared.webhook.signature import Headers


@dataclass(frozen=True)
class SignedRequest:
    """A well-formed request whose signature is still to be proven."""

    body: bytes
    signature: bytes
    certificate_url: str
    """One of the policy's `certificate_urls`, character by character."""


def check_request(headers: Headers, body: bytes, policy: TrustPolicy) -> SignedRequest:
    """Headers, form and size; `Rejected` 400, 401 or 413."""
    found = signature.read_headers(headers)
    bounds.check_size(body, policy)
    signed = signature.read_signature(found)
    url = _certificate_url(found.get(signature.CERTIFICATE_URL, ""), policy)
    bounds.check_text(found, body)
    return SignedRequest(body=body, signature=signed, certificate_url=url)


def verify(request: SignedRequest, certificate_bytes: bytes, now: datetime, policy: TrustPolicy) -> Event:
    """The event, when the certificate is trusted at `now` (aware UTC) and its key signed the body; else `Rejected`."""
    key = certificate.signer_key(certificate_bytes, now, policy)
    signature.check(key, request.signature, request.body)
    return event.read(request.body, now, policy)


def _certificate_url(url: str, policy: TrustPolicy) -> str:
    if not url:
        raise Rejected(
            "NO_CERTIFICATE_URL",
            f"The header {signature.CERTIFICATE_URL} is missing.",
            "Partner Center always sends it; nothing needs to be done about this request.",
            status=400,
        )
    if url not in policy.certificate_urls:
        raise Rejected(
            "FOREIGN_CERTIFICATE_URL",
            "The certificate's address is not on the list of allowed addresses.",
            "If Partner Center moved its certificate, add the new address to the setting WEBHOOK_CERTIFICATE_URLS.",
            status=401,
        )
    return url
