"""What the connector puts into queues and the audit (P11, I7): ids and choices, no word of a deal."""

from __future__ import annotations

import json

from shared import row_event
from shared.delivery import Delivery, Envelope
from shared.domain import audit
from shared.errors import DataProblem, Unavailable
from shared.messages import Queue
from tests.fakes.clock import VirtualClock
from tests.fakes.service_bus import FakeQueues
from tests.security import canaries
from tests.security.canaries import GUID, PERSON
from tests.security.stumbling import unforeseen

ROW = "3c9e1f60-7b47-f111-bec6-000d3a5b7c21"
CHANGE = {
    "MessageName": "Update",
    "PrimaryEntityName": "contact",
    "PrimaryEntityId": ROW,
    "InitiatingUserId": GUID,
    "OperationId": GUID,
    "CorrelationId": GUID,
    "OrganizationId": GUID,
    "InputParameters": [
        {
            "key": "Target",
            "value": {
                "__type": "Entity:http://schemas.microsoft.com/xrm/2011/Contracts",
                "Attributes": [
                    *({"key": key, "value": value} for key, value in PERSON.items()),
                    {"key": "cosell_syncwithpartnercenter", "value": True},
                    {"key": "statecode", "value": {"__type": "OptionSetValue:x", "Value": 1}},
                    {"key": "estimatedvalue", "value": {"__type": "Money:x", "Value": 12.5}},
                    {"key": "cosell_referralidentifier", "value": "ref-17"},
                    {"key": "address1_addressid", "value": GUID},
                    {
                        "key": "customerid",
                        "value": {"LogicalName": "account", "Id": ROW, "Name": canaries.NOTE, "__type": "x"},
                    },
                ],
            },
        }
    ],
    "PreEntityImages": [
        {"key": "pre", "value": {"Attributes": [{"key": "fullname", "value": canaries.NOTE}]}},
    ],
    "SharedVariables": [{"key": "tag", "value": "cosell-sync"}],
}


def test_a_change_travels_on_without_its_words() -> None:
    event = row_event.parse(json.dumps(CHANGE))
    again = row_event.parse(event.essence())
    assert canaries.found(event.essence()) == []
    assert again.essence() == event.essence()
    assert (again.row_id, again.operation_id, again.tagged, again.complete) == (event.row_id, GUID, True, True)
    assert again.target == {
        **dict.fromkeys(PERSON),
        "cosell_syncwithpartnercenter": True,
        "statecode": 1,
        "estimatedvalue": 12.5,
        "cosell_referralidentifier": "ref-17",
        "address1_addressid": GUID,
        "customerid": ("account", ROW),
    }
    assert again.before == {"fullname": None}
    cut = row_event.parse(json.dumps({**CHANGE, "InputParameters": [], "SharedVariables": []}))
    assert (row_event.parse(cut.essence()).complete, row_event.parse(cut.essence()).tagged) == (False, False)


def test_what_is_tried_again_and_parked_has_no_words(log: list[str]) -> None:
    """A change whose handler stumbles in every way, down the whole ladder."""
    clock, change = VirtualClock(), json.dumps(CHANGE)
    parked = []
    for error in (Unavailable("PC_DOWN", "It is down."), DataProblem("X", "Wrong."), *unforeseen()):

        def stumble(_: row_event.RowEvent, error: BaseException = error) -> str:
            raise error

        queues = FakeQueues(clock)
        delivery = Delivery(queues, clock, ladder_s=(1.0, 1.0))
        body: str | None = change
        while body is not None:
            delivery.run(Queue.DYNAMICS_365_OPPORTUNITIES, body.encode(), row_event.parse, stumble)
            clock.advance(60)
            message = queues.receive(Queue.DYNAMICS_365_OPPORTUNITIES)
            body = message.body if message else None
            assert canaries.found(body or "") == []
            assert body is None or Envelope.model_validate_json(body).correlation_id == GUID
        parked += queues.parked()
    assert len(parked) == 10
    for each in parked:
        assert canaries.found(each.to_json()) == []
        assert row_event.parse(each.body).row_id == row_event.parse(change).row_id
    assert [line for line in log if canaries.found(line.replace("canaries.", ""))] == []


def test_the_audit_hides_persons() -> None:
    for value in (canaries.MAILBOX, (canaries.MAILBOX, "x"), canaries.NOTE * 3):
        assert canaries.found(audit.shown(value)) == []
    assert canaries.found(audit.shown(canaries.NOTE, free_text=True)) == []
