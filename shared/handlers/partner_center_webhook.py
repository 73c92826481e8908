"""The webhook's door: a genuine event becomes a durable message, then 200. Nothing else happens here.

Whether a request is genuine is `shared.trust`'s decision; only the referral's id, the event's name and its time go on.
"""

from __future__ import annotations

import logging

from shared.errors import Rejected, SyncError
from shared.messages import Hint, Queue
from shared.ports import Queues
from shared.trust import WebhookTrust
from shared.webhook.event import Kind
from shared.webhook.signature import Headers

_log = logging.getLogger("cosell.webhook")


def handle(headers: Headers, body: bytes, trust: WebhookTrust, queues: Queues) -> tuple[int, str]:
    """HTTP status and a short text. 503 makes Partner Center deliver again; it tries ten times in all."""
    try:
        event = trust.admit(headers, body)
        if event.kind in (Kind.REFERRAL, Kind.RELATED) and event.referral_id is not None:
            hint = Hint(
                subject="referral",
                id=event.referral_id,
                reason=event.event_name,
                version=event.changed_at.isoformat(),
                occurred_at=event.changed_at,
            )
            queues.send(Queue.PARTNER_CENTER_EVENTS, hint)
    except Rejected as refusal:
        _log.warning("REFUSED %s", refusal)
        return refusal.status, f"{refusal.code}: {refusal.sentence}"
    except SyncError as error:  # a queue that is down, missing or closed to us: the sender keeps the event meanwhile
        _log.error("NOT TAKEN %s", error)
        return 503, f"{error.code}: {error.sentence}"
    _log.info("%s %s", event.event_name, event.referral_id or event.because or "noted")
    return 200, event.kind
