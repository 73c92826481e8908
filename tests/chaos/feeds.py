"""What the two clouds tell the connector: Dataverse's messages about changed rows, Partner Center's webhook events.

Which changes Dataverse posts, to which queue and with which image stands in `infra/dataverse/schema.toml`; the bodies
have the shape of its execution context, customer data included. Events may be dropped, doubled or be poison; the order
is the host's to disturb. The webhook's door has tests of its own: here a genuine event is a hint in the queue.
"""

from __future__ import annotations

import json
import random
import tomllib
import uuid
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from shared.messages import Hint, Queue
from shared.ports import Lookup
from tests.chaos.faults import Plan, Random
from tests.fakes.dataverse import FakeDataverse
from tests.fakes.dataverse_rows import Change
from tests.fakes.partner_center import FakePartnerCenter
from tests.fakes.service_bus import FakeQueues

_SCHEMA = Path(__file__).parents[2] / "infra/dataverse/schema.toml"
_ENTITY = "http://schemas.microsoft.com/xrm/2011/Contracts"
POISON = (
    "",
    "null",
    "{}",
    '{"subject":"referral","id":"not-a-guid","reason":"referral-updated"}',
    '{"PrimaryEntityName":"opportunity","MessageName":"Update"}',
    "[" * 2000,
    "\x00\x01 not json",
)


@cache
def steps() -> dict[str, list[dict[str, Any]]]:
    """Steps of the service endpoint by table."""
    found: dict[str, list[dict[str, Any]]] = {}
    for step in tomllib.loads(_SCHEMA.read_text(encoding="utf-8"))["steps"]:
        found.setdefault(step["table"], []).append(step)
    return found


class Feeds:
    """Turns writes into messages. `emitted` counts changes told or dropped, doubles not."""

    def __init__(
        self,
        queues: FakeQueues,
        dataverse: FakeDataverse,
        center: FakePartnerCenter,
        plan: Plan,
        seed: str,
    ) -> None:
        self._queues, self._dataverse, self._plan = queues, dataverse, plan
        self._random = random.Random(f"{seed}/feeds")
        self.emitted = 0
        self.told: Counter[str] = Counter()
        self.deaf = False
        """While it is set every event is dropped."""
        dataverse.rows.on_change.append(self._on_change)
        center.on_event.append(self._on_event)

    def _on_change(self, change: Change) -> None:
        for step in steps().get(change.table, ()):
            if change.message in step["messages"] and (
                change.message != "Update" or not change.columns.isdisjoint(step["filter"])
            ):
                self._emit(step["queue"], self._body(change, step["pre_image"]))

    def _on_event(self, event: str, referral_id: str, at: datetime) -> None:
        hint = Hint(
            subject="referral",
            id=uuid.UUID(referral_id),
            reason=event,
            version=at.isoformat(),
            occurred_at=at,
            correlation_id=self._guid(),
        )
        self._emit(Queue.PARTNER_CENTER_EVENTS, hint)

    def _emit(self, queue: str, what: Hint | str) -> None:
        self.emitted += 1
        self.told[queue] += 1
        if self.deaf or self._happens("dropped"):
            return
        if isinstance(what, Hint):
            self._queues.send(queue, what)
        else:
            self._queues.put(queue, what)
        if self._happens("duplicate"):
            self._queues.put(queue, what.to_json() if isinstance(what, Hint) else what)
        if self._happens("poison"):
            self._queues.put(self._random.choice(list(Queue)[:-1]), self._random.choice(POISON))

    def _happens(self, what: str) -> bool:
        return isinstance(self._plan, Random) and self._plan.happens(what)

    def _guid(self) -> uuid.UUID:
        return uuid.UUID(int=self._random.getrandbits(128), version=4)

    def _body(self, change: Change, image: list[str]) -> str:
        after = self._dataverse.rows.get(change.table, change.row_id) or {}
        if change.message == "Delete":
            target: Any = {"LogicalName": change.table, "Id": change.row_id}
        else:
            target = {
                "__type": f"Entity:{_ENTITY}",
                "LogicalName": change.table,
                "Id": change.row_id,
                "Attributes": [
                    {"key": name, "value": _value(after.get(name))}
                    for name in sorted(after if change.message == "Create" else change.columns)
                ],
            }
        before = [{"key": name, "value": _value(change.before.get(name))} for name in image if name in change.before]
        images = [{"key": "pre", "value": {"LogicalName": change.table, "Id": change.row_id, "Attributes": before}}]
        context = {
            "MessageName": change.message,
            "PrimaryEntityName": change.table,
            "PrimaryEntityId": change.row_id,
            "InitiatingUserId": change.user_id,
            "OperationId": str(self._guid()),
            "CorrelationId": str(self._guid()),
            "OrganizationId": "d4f0c1a2-77aa-4c7e-9a52-0c5f3b8b1e10",
            "InputParameters": [{"key": "Target", "value": target}],
            "PreEntityImages": images if change.before and image else [],
            "SharedVariables": [],
        }
        return json.dumps(context)


def _value(value: Any) -> Any:
    if isinstance(value, Lookup):
        return {"__type": f"EntityReference:{_ENTITY}", "LogicalName": value.table, "Id": value.id}
    if isinstance(value, Decimal):
        return {"__type": f"Money:{_ENTITY}", "Value": float(value)}
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(f"{value}T00:00:00+00:00")
        return f"/Date({int(moment.timestamp()) * 1000})/"
    if isinstance(value, int) and not isinstance(value, bool):
        return {"__type": f"OptionSetValue:{_ENTITY}", "Value": value}
    return value
