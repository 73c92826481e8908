"""What a handler is given: the ports, the terms and the policies, in one frozen object.

Built by `shared.app` from real clients and by the tests from fakes; nothing else decides what a handler talks to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.domain.classify import InboundPolicy
from shared.domain.terms import Terms
from shared.ports import Clock, Dataverse, NoNotifications, Notifications, PartnerCenter, Queues, WebhookRegistrations


@dataclass(frozen=True)
class Connections:
    """One process's connections; safe to share between threads."""

    partner_center: PartnerCenter
    dataverse: Dataverse
    queues: Queues
    registrations: WebhookRegistrations
    clock: Clock
    terms: Terms
    notifications: Notifications = field(default_factory=NoNotifications)
    inbound: InboundPolicy = field(default_factory=InboundPolicy)
    default_owner_id: str | None = None
    review_inbound: bool = False
    """Whether a person decides about each new inbound deal before it is taken."""
    recreate_missing: bool = False
    """Whether a referral that names an unknown CRM record is imported all the same."""
    decline_deleted: bool = False
    """Whether deleting a linked opportunity declines or loses the referral."""
    brake_closings_per_hour: int = 50
    """More closings an hour in one direction wait for an operator."""
    debounce_s: float = 3
    dry_run: bool = False
    create_lease_s: float = 90
    """How long a reservation keeps others from creating the same referral."""
