"""Events: what is told to the registered address when a referral changes, and the registration itself.

`Events.changed` writes the event in the transaction of its change, so that none is lost between the two; `sending` is
woken and delivers. Bodies have the documented members, indented and PascalCase, and are fixed when the event is raised.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.layout import new_guid
from sandbox.partner_center.store import Document, Event, EventState, Store

RESOURCE_BASE = "https://api.partnercenter.microsoft.com/engagements/v1/referrals/"
"""As the service writes it, wherever the referrals really are: clients take the id and nothing else."""
TEST_EVENT = "test-created"
SUPPORTED = (
    TEST_EVENT,
    "referral-created",
    "referral-updated",
    "related-referral-created",
    "related-referral-updated",
    "subscription-updated",
    "usagerecords-thresholdExceeded",
    "invoice-ready",
    "azure-fraud-event-detected",
    "granular-admin-relationship-approved",
    "dap-admin-relationship-terminated",
    "reseller-accepted-by-customer",
)


@dataclass(frozen=True)
class Registration:
    """The tenant's one webhook registration."""

    url: str
    events: tuple[str, ...]
    own_header: bool
    """The signature travels in x-ms-signature instead of Authorization."""
    subscriber_id: str
    modified_at: str


class Events:
    """Raises events; `wake` is called when one is pending."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self.wake: Callable[[], None] = lambda: None

    def registration(self) -> Registration | None:
        saved = self._store.setting("registration")
        return None if saved is None else Registration(**saved | {"events": tuple(saved["events"])})

    def register(self, url: str, events: tuple[str, ...], *, own_header: bool) -> Registration:
        """The first registration or the replacement of it."""
        before = self.registration()
        registration = Registration(
            url, events, own_header, before.subscriber_id if before else new_guid(), self._now().isoformat()
        )
        self._store.set_setting("registration", registration.__dict__)
        return registration

    def changed(self, document: Document, what: str, *, related: bool, named: Document | None = None) -> None:
        """A referral was `created` or `updated`. `related`: it is not ours. `named`: whose id the event carries."""
        prefix = "related-referral" if related else "referral"
        self.raise_event(f"{prefix}-{what}", (named or document)["id"])

    def raise_event(
        self, name: str, resource_id: str, *, resource: str = "referral", test_id: str | None = None
    ) -> Event:
        """Pending when somebody registered for it; else only listed."""
        now = self._now()
        registration = self.registration()
        state: EventState = "pending" if registration and name in registration.events else "unregistered"
        uri = RESOURCE_BASE + resource_id if resource == "referral" else f"http://localhost:16722/v1/{resource_id}"
        body: dict[str, Any] = {
            "EventName": name,
            "ResourceUri": uri,
            "ResourceName": resource,
            "AuditUri": None,
            "ResourceChangeUtcDate": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond:06d}7+00:00",
        }
        raw = json.dumps(body, indent=4).replace("\n", "\r\n").encode()
        event = self._store.add_event(now.isoformat(), name, resource_id, raw, state, test_id)
        if state == "pending":
            self.wake()
        return event
