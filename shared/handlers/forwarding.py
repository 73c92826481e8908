"""Forwarding a CRM change to flow 5, debounced: several saves of one record become one message.

All changes of a record within one window of `debounce_s` get the same message id and arrive when the window ends;
duplicate detection keeps one of them. Whoever receives it reads the row as it then is.
"""

from __future__ import annotations

import math
import uuid

from shared.connections import Connections
from shared.messages import Hint, Queue
from shared.row_event import RowEvent

SWEEP = "sweep"
"""Reason of a hint that no event caused."""
SWITCHED_ON = "switched-on"
"""Reason of a hint about the referral of an opportunity whose sync was off: whatever came meanwhile was not taken."""
MERGE = "merge"
"""Reason of a hint from one flow to the other about what the other has to write; such a hint never causes another."""


def is_ours(event: RowEvent, connections: Connections) -> bool:
    """Whether the connector itself made the change: an echo."""
    return event.user_id == connections.dataverse.user_id()


def forward(event: RowEvent, connections: Connections, opportunity_id: uuid.UUID, reason: str) -> None:
    """Tell flow 5 that this opportunity may have changed."""
    now, window = connections.clock(), connections.debounce_s
    version, delay = event.operation_id, 0.0
    if window > 0:
        number = math.floor(now.timestamp() / window)
        version, delay = f"window {number}", (number + 1) * window - now.timestamp()
        reason = "crm-change"
    hint = Hint(subject="opportunity", id=opportunity_id, reason=reason, version=version, occurred_at=now)
    connections.queues.send(Queue.DYNAMICS_365_TO_PARTNER_CENTER, hint, delay_s=delay)
