"""What asks for a person: reminders before a deal expires, inbound deals that await review, and the notifications."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import UUID

import pytest

from shared.clients.notifications import WebhookNotifications
from shared.delivery import Delivery
from shared.errors import AuthorizationError
from shared.handlers import partner_center_to_dynamics_365 as flow_4
from shared.handlers import reminders, sweep
from shared.messages import APPROVED, Hint, ParkedMessage, Queue, parse
from tests.bad_input.pair import Bench, bench
from tests.contract.deals import deal


@dataclass
class Told:
    """`shared.ports.Notifications` that remembers."""

    cards: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)

    def post(self, title: str, text: str, facts: Mapping[str, str]) -> None:
        self.cards.append((title, text, facts))


def world(*, review: bool = False) -> tuple[Bench, Told]:
    made, told = bench(), Told()
    connections = replace(made.connections, notifications=told, review_inbound=review)
    return replace(made, connections=connections, delivery=Delivery(made.queues, made.clock, told)), told


def inbound(made: Bench) -> str:
    """Microsoft sends a deal, and the event is delivered."""
    referral = made.partner_center.invite(deal(name="Harbour sensors", externalReferenceId=None))
    made.deliver(Queue.PARTNER_CENTER_EVENTS, event(referral.id), flow_4.handle)
    return str(referral.id)


def event(referral_id: str, reason: str = "referral-created") -> Hint:
    return Hint(subject="referral", id=UUID(referral_id), reason=reason, version=reason)


def opportunity_of(made: Bench, referral_id: str) -> Mapping[str, object]:
    rows = made.dataverse.as_user().find("opportunity", [], ("name", "cosell_referralidentifier", "cosell_audit"))
    return next(row.values for row in rows if row.values["cosell_referralidentifier"] == referral_id)


def test_a_deal_on_hold_is_reminded_of_at_seven_three_and_one_day_once_each() -> None:
    made, told = world()
    referral_id = inbound(made)
    told.cards.clear()
    days: list[int] = []
    for day in range(14):
        made.clock.advance(timedelta(days=1).total_seconds())
        days += [day for _ in range(2) if reminders.handle(made.connections) != "0 reminders"]
    assert len(set(days)) == len(days) == len(reminders.DAYS)
    assert len(told.cards) == len(reminders.DAYS)
    assert str(opportunity_of(made, referral_id)["cosell_audit"]).count("RESPOND_BY") == len(reminders.DAYS)


def test_a_new_deal_from_microsoft_is_told_of_by_its_name() -> None:
    made, told = world()
    inbound(made)
    assert [(title, text) for title, text, _ in told.cards] == [
        ("A new co-sell deal from Microsoft", "Harbour sensors")
    ]


def test_in_review_mode_a_deal_waits_until_it_is_approved() -> None:
    made, _ = world(review=True)
    referral_id = inbound(made)
    assert made.dataverse.as_user().find("opportunity", [], ("name",)) == []
    message = made.queues.receive(Queue.PARKED)
    assert message is not None
    parked = ParkedMessage.model_validate_json(message.body)
    assert (parked.code, parked.queue) == ("INBOUND_REVIEW", "partner-center-events")
    approved = parse(parked.body).model_copy(update={"reason": APPROVED})
    made.deliver(Queue.PARTNER_CENTER_EVENTS, approved, flow_4.handle)
    assert opportunity_of(made, referral_id)["name"] == "✔ Harbour sensors"


def test_a_deal_that_awaits_review_is_set_aside_once_whatever_sweeps_come_by() -> None:
    made, _ = world(review=True)
    inbound(made)
    for _ in range(8):
        made.clock.advance(15 * 60)
        sweep.handle(made.connections, timedelta(hours=2))
        while message := made.queues.receive(Queue.PARTNER_CENTER_EVENTS):
            made.deliver(Queue.PARTNER_CENTER_EVENTS, parse(message.body), flow_4.handle)
    assert [parked.code for parked in made.queues.parked()] == ["INBOUND_REVIEW"]


def test_a_dead_consent_is_told_of_once() -> None:
    made, told = world()

    def refuse(call: str) -> None:
        raise AuthorizationError("PC_CONSENT", "The consent has ended.", "Renew it.")

    made.partner_center.before_call = refuse
    for number in range(5):
        hint = event("0b6f0c1e-1111-4222-8333-444455556666", f"referral-{number}")
        made.deliver(Queue.PARTNER_CENTER_EVENTS, hint, flow_4.handle)
    assert [title for title, _, _ in told.cards] == ["Co-sell sync stands still"]


@pytest.fixture
def channel() -> Iterator[tuple[str, list[bytes]]]:
    """A chat's webhook on loopback: refuses when the path says so."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(400 if "refuse" in self.path else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", bodies
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_card_is_what_teams_takes(channel: tuple[str, list[bytes]]) -> None:
    url, bodies = channel
    WebhookNotifications(f"{url}/hook?sig=secret").post("Title", "Text", {"Queue": "parked"})
    card = json.loads(bodies[0])["attachments"][0]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert [block.get("text") for block in card["content"]["body"]] == ["Title", "Text", None]
    assert card["content"]["body"][2]["facts"] == [{"title": "Queue", "value": "parked"}]


@pytest.mark.parametrize("path", ["/refuse?sig=planted", None], ids=["refused", "unreachable"])
def test_a_card_that_cannot_be_delivered_is_logged_without_the_address(
    channel: tuple[str, list[bytes]], caplog: pytest.LogCaptureFixture, path: str | None
) -> None:
    url, _ = channel
    WebhookNotifications(f"{url}{path}" if path else "http://127.0.0.1:9/hook?sig=planted").post("T", "T", {})
    assert "notification" in caplog.text
    assert "planted" not in caplog.text
