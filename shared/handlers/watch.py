"""The hourly look at what nobody notices until events stay away: the webhook's registration, and whom it believes.

Another app may have taken the registration; Partner Center may have a certificate from an authority that our trust
bundle does not know, or one of the bundle's authorities may end before long. Only the registration can be repaired from
here, and only when `WEBHOOK_SELF_HEAL` says so.
"""

from __future__ import annotations

import logging

from shared.handlers import partner_center_webhook_registration
from shared.ports import WebhookRegistrations
from shared.settings import Settings
from shared.trust import WebhookTrust

_log = logging.getLogger("cosell.watch")


def handle(registrations: WebhookRegistrations, settings: Settings, trust: WebhookTrust) -> str:
    """What became of the registration; the rest is lines in the log."""
    if settings.webhook_url is None:
        return "no webhook address is configured"
    for doubt in trust.doubts():
        _log.error("ALERT the webhook's trust: %s See docs/security-webhook.md.", doubt)
    current = registrations.current()
    missing = set(settings.webhook_events) - set(current.events if current else ())
    if current is not None and current.url == settings.webhook_url and not missing:
        return "in order"
    if not settings.webhook_self_heal:
        _log.error("ALERT the webhook registration is not ours any more; register again or set WEBHOOK_SELF_HEAL=yes")
        return "overwritten"
    outcome = partner_center_webhook_registration.handle(
        registrations, settings.webhook_url, settings.webhook_events, overwrite=True, test=False
    )
    return outcome.result
