"""The hourly look at the webhook registration: when another app overwrote it, no event arrives any more."""

from __future__ import annotations

import logging

from shared.handlers import partner_center_webhook_registration
from shared.ports import WebhookRegistrations
from shared.settings import Settings

_log = logging.getLogger("cosell.watch")


def handle(registrations: WebhookRegistrations, settings: Settings) -> str:
    """Compare with the settings; repair only when `WEBHOOK_SELF_HEAL` says so."""
    if settings.webhook_url is None:
        return "no webhook address is configured"
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
