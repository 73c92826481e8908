"""The webhook's trust decision with its certificate: fetched once, kept for hours, renewed when the signer changed.

`WebhookTrust.admit` is all the webhook needs, `doubts` is for whoever watches it. It must never decide anything about
trust itself: that is `shared.webhook`, which is pure; the fetching is `shared.clients.certificates`, behind the port.
`trust_bundle` joins an operator's PEM file and the public roots. See docs/security-webhook.md for what belongs into it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

from certifi import where
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import load_pem_x509_certificates

from shared.errors import ConfigurationError, Rejected, SyncError, Unavailable
from shared.ports import Certificates
from shared.webhook.certificate import signer_key
from shared.webhook.event import Event
from shared.webhook.policy import TrustPolicy, is_root
from shared.webhook.signature import Headers
from shared.webhook.verify import check_request, verify

KEEP = timedelta(hours=12)
RENEW_AFTER = timedelta(seconds=60)
"""A certificate younger than this is not fetched again, so that forged requests cannot make us fetch at their rate."""
PAUSE = timedelta(seconds=10)
"""After a failed fetch the next one waits this long, for the same reason."""
AHEAD = timedelta(days=30)
"""How long before its end an authority of the trust bundle is named: time to get the next one and deploy it."""

_SIGNER_CHANGED = frozenset(
    {
        "WRONG_SIGNATURE",
        "EXPIRED_CERTIFICATE",
        "UNREADABLE_CERTIFICATE",
        "UNTRUSTED_CERTIFICATE",
        "WEAK_CERTIFICATE",
        "WRONG_ISSUER",
        "WRONG_SIGNER",
    }
)
"""Refusals that another certificate under the same address could turn into an acceptance."""


@dataclass(frozen=True)
class _Kept:
    content: bytes
    fetched_at: datetime


class WebhookTrust:
    """Thread-safe; make one for the life of the process."""

    def __init__(self, certificates: Certificates, clock: Callable[[], datetime], policy: TrustPolicy) -> None:
        self._certificates = certificates
        self._clock = clock
        self._policy = policy
        self._kept: dict[str, _Kept] = {}
        self._failed_at: dict[str, datetime] = {}
        self._locks = {url: Lock() for url in policy.certificate_urls}

    def admit(self, headers: Headers, body: bytes) -> Event:
        """The event of a genuine request; `Rejected` with the status to answer, or `Unavailable` (answer 503)."""
        request = check_request(headers, body, self._policy)
        url = request.certificate_url
        kept = self._certificate(url, KEEP)
        try:
            return verify(request, kept.content, self._clock(), self._policy)
        except Rejected as refusal:
            if refusal.code not in _SIGNER_CHANGED:
                raise
            renewed = self._certificate(url, RENEW_AFTER)
            if renewed is kept:
                raise
        return verify(request, renewed.content, self._clock(), self._policy)

    def doubts(self) -> list[str]:
        """Why genuine events are refused now, or may be before long. Looks at the certificate as it is served now."""
        ending = self._policy.ending(self._clock() + AHEAD)
        found = [f"The trust bundle's authority {name} ends on {day}." for name, day in ending.items()]
        failures = [failure for url in self._policy.certificate_urls if (failure := self._failure(url))]
        if len(failures) == len(
            self._policy.certificate_urls
        ):  # a list may hold an address that was, or is yet to come
            found.append(f"Partner Center's own events are not believed: {failures[0]}")
        return found

    def _failure(self, url: str) -> SyncError | None:
        """What a genuine event with this certificate would meet."""
        try:
            signer_key(self._certificate(url, RENEW_AFTER).content, self._clock(), self._policy)
        except (Rejected, Unavailable) as error:
            return error
        return None

    def _certificate(self, url: str, max_age: timedelta) -> _Kept:
        """One that is younger than `max_age`; of several callers at once, one fetches and the others wait for it."""
        if kept := self._young(url, max_age):
            return kept
        with self._locks[url]:
            if kept := self._young(url, max_age):
                return kept
            failed_at = self._failed_at.get(url)
            if failed_at is not None and timedelta(0) <= self._clock() - failed_at < PAUSE:
                raise Unavailable(
                    "CERTIFICATE_UNAVAILABLE",
                    "The signer's certificate could not be fetched a moment ago.",
                    "Partner Center repeats the delivery; nothing needs to be done unless this goes on for an hour.",
                    retry_after_s=PAUSE.total_seconds(),
                )
            try:
                content = self._certificates.fetch(url)
            except Unavailable:
                self._failed_at[url] = self._clock()
                raise
            self._kept[url] = kept = _Kept(content, self._clock())
            return kept

    def _young(self, url: str, max_age: timedelta) -> _Kept | None:
        kept = self._kept.get(url)
        return kept if kept and timedelta(0) <= self._clock() - kept.fetched_at < max_age else None


def trust_bundle(path: str | Path | None) -> bytes:
    """PEM for a `TrustPolicy`: the file if it brings its own root, else its intermediates and the public roots."""
    if path is None:
        return _public_roots()
    try:
        own = Path(path).read_bytes()
        complete = any(map(is_root, load_pem_x509_certificates(own)))
    except (OSError, ValueError):
        raise ConfigurationError(
            "BAD_TRUST_BUNDLE",
            f"The webhook's trust bundle {path} cannot be read as PEM certificates.",
            "Give the path of a PEM file as described in docs/security-webhook.md, or leave the setting empty.",
        ) from None
    return own if complete else own + b"\n" + _public_roots()


def _public_roots() -> bytes:
    """certifi's, without those whose serial number RFC 5280 forbids: the parser is about to refuse them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        roots = load_pem_x509_certificates(Path(where()).read_bytes())
        return b"".join(root.public_bytes(Encoding.PEM) for root in roots if root.serial_number > 0)
