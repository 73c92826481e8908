"""Posts a short card to one configured address, in the form Microsoft Teams' incoming webhooks and workflows take.

A card never holds up or fails the work it tells of: what cannot be delivered is one line in the log. The address may
hold a secret in its query, so it is never logged. Card format: Adaptive Cards 1.4 in a message attachment.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import requests

from shared.clients.http import Session

_log = logging.getLogger("cosell.notifications")


class WebhookNotifications:
    """`shared.ports.Notifications`; `url` is the only address ever called."""

    def __init__(self, url: str, *, ca_bundle: str | None = None) -> None:
        self._url = url
        self._session = Session(ca_bundle)

    def post(self, title: str, text: str, facts: Mapping[str, str]) -> None:
        try:
            answer = self._session.post(self._url, json=_card(title, text, facts))
        except requests.RequestException as error:
            _log.error("A notification could not be sent: %s", type(error).__name__)
            return
        if not answer.ok:
            _log.error("A notification was refused with HTTP %d", answer.status_code)


def _card(title: str, text: str, facts: Mapping[str, str]) -> dict[str, Any]:
    body: list[dict[str, Any]] = [
        {"type": "TextBlock", "text": title, "weight": "Bolder", "size": "Medium", "wrap": True},
        {"type": "TextBlock", "text": text, "wrap": True},
    ]
    if facts:
        body.append({"type": "FactSet", "facts": [{"title": name, "value": value} for name, value in facts.items()]})
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }
