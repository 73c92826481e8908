"""Set-up and webhook: who is told of changes, and whom the door lets in (AT-A01 … A09)."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.clients import HELP_PROOF_OF_CONCEPT, connection
from sandbox.partner_center.signing import Signing
from sandbox.supervisor import WEBHOOK_EVENTS
from tests.acceptance.profiles import another_way, both_profiles
from tests.acceptance.world import REFERRALS, Json, World

pytestmark = pytest.mark.sandbox

REGISTRATION = "/webhooks/v1/registration"
ELSEWHERE = "https://other-integration.example/hook"


def our_url(world: World) -> str:
    return f"{world.layout.host_url}/api/partner_center_webhook"


def registration(world: World) -> Json | None:
    found: Json | None = world.sim("partner_center", "GET", "/_sim/registration").json()
    return found


def register(world: World, url: str, events: tuple[str, ...] = WEBHOOK_EVENTS, **body: Any) -> Json:
    answer: Json = world.function("partner_center_webhook_registration", {"url": url, "events": events, **body}).json()
    return answer


@pytest.fixture
def unregistered(world: World) -> Iterator[World]:
    """Nobody has registered yet; afterwards the registration is ours again."""
    world.start_over()
    yield world
    world.start_over()
    world.sandbox.register_webhook()


@both_profiles
@pytest.mark.parametrize("events", [WEBHOOK_EVENTS[:2], WEBHOOK_EVENTS], ids=["two events", "four events"])
def test_AT_A01_first_registration(unregistered: World, events: tuple[str, ...]) -> None:
    """I register the webhook for the first time, and a test event shows me that deliveries arrive."""
    world = unregistered

    answer = register(world, our_url(world), events, overwrite=True)

    held = registration(world)
    assert answer["result"] == "REGISTERED"
    assert held is not None
    assert held["url"] == our_url(world)
    assert set(events) <= set(held["events"]) <= {*events, "test-created"}
    assert answer["delivered"] is True
    deliveries = world.sim("partner_center", "GET", "/_sim/deliveries").json()
    assert [one["status"] for one in deliveries] == [200]


@both_profiles
def test_AT_A02_overwriting_another_subscriber(unregistered: World) -> None:
    """I take over a registration that points elsewhere, and read who loses its events and what stood there before."""
    world = unregistered
    register(world, ELSEWHERE, ("referral-created", "invoice-ready"), test=False)

    answer = register(world, our_url(world), overwrite=True)

    held = registration(world)
    assert answer["result"] == "UPDATED"
    assert held is not None
    assert held["url"] == our_url(world)
    assert answer["previous"]["url"] == ELSEWHERE
    assert {"referral-created", "invoice-ready"} <= set(answer["previous"]["events"])
    assert ELSEWHERE in answer["sentence"]
    assert "invoice-ready" in answer["sentence"]
    assert any("WARNING" in line.upper() and ELSEWHERE in line for line in world.log().splitlines())


@both_profiles
def test_AT_A03_no_overwriting_without_being_asked(unregistered: World) -> None:
    """I leave Overwrite on No, so the other subscriber keeps its events."""
    world = unregistered
    register(world, ELSEWHERE, test=False)
    before = registration(world)

    with world.counting() as pc:
        answer = register(world, our_url(world), overwrite=False)

    assert answer["result"] == "REFUSED_EXISTING"
    assert registration(world) == before
    assert pc.count("POST", "PUT", path=REGISTRATION) == 0


def test_AT_A04_registering_again_changes_nothing(unregistered: World) -> None:
    """I register a second time, and nothing is written."""
    world = unregistered
    register(world, our_url(world), overwrite=True, test=False)
    before = registration(world)

    with world.counting() as pc:
        answer = register(world, our_url(world), overwrite=True, test=False)

    assert answer["result"] == "UNCHANGED"
    assert registration(world) == before
    assert pc.count("POST", "PUT", path=REGISTRATION) == 0


def test_AT_A05_overwritten_registration_raises_an_alarm(unregistered: World) -> None:
    """Somebody took our registration: the hourly look says so and touches nothing."""
    world = unregistered
    register(world, ELSEWHERE, test=False)
    before, alarms = registration(world), world.log().count("ALERT the webhook registration")

    world.run_timer("watch")

    world.until(
        lambda: world.log().count("ALERT the webhook registration") == alarms + 1, "the alarm in the log", within_s=5
    )
    assert registration(world) == before


@another_way
def test_AT_A05_overwritten_registration_heals_when_asked_to(world: World) -> None:
    """With self-healing on, the hourly look takes our registration back."""
    world.start_over()
    register(world, ELSEWHERE, test=False)

    world.run_timer("watch")

    held = registration(world)
    assert held is not None
    assert held["url"] == our_url(world)
    assert set(WEBHOOK_EVENTS) <= set(held["events"])
    key = {"x-functions-key": world.layout.host_key}
    told = connection(world.layout).get(f"{world.layout.host_url}/api/status", headers=key, timeout=30).json()
    assert (told["webhook"], told["webhookTrust"]) == ("ours", "in order")
    assert "ALERT the webhook's trust" not in world.log()


@pytest.mark.parametrize(
    "forgery",
    ["wrong_signature", "tampered_body", "foreign_issuer", "expired_leaf", "missing_signature", "sha1_algorithm"],
)
def test_AT_A06_forged_event_is_refused(world: World, forgery: str) -> None:
    """Somebody sends an event that Microsoft did not sign: it is refused and nothing happens."""
    known = world.sim("partner_center", "GET", "/_sim/deliveries").json()
    refused = world.log().count("REFUSED ")
    world.partner_center_delivery(signature_fault=forgery, attempts=1)

    with world.counting() as pc:
        deal = world.created_in_portal()
        world.settle()

    attempts = world.sim("partner_center", "GET", "/_sim/deliveries").json()[len(known) :]
    assert [one["status"] for one in attempts] == [401]
    assert pc.count(path=f"{REFERRALS}/{deal['id']}") == 0
    assert world.log().count("REFUSED ") == refused + 1


def test_AT_A07_nothing_is_acknowledged_that_is_not_kept(world: World) -> None:
    """The queue is down when an event comes: Partner Center is told to come again, and the deal arrives later."""
    world.settle()
    known = len(world.sim("partner_center", "GET", "/_sim/deliveries").json())
    world.sandbox.kill("broker")

    def attempts() -> list[Json]:
        found: list[Json] = world.sim("partner_center", "GET", "/_sim/deliveries").json()[known:]
        return found

    deal = world.created_in_portal()
    world.until(lambda: len(attempts()) >= 1, "an attempt to deliver", within_s=40)
    assert all(one["status"] in (500, 502, 503) for one in attempts())
    world.sandbox.restart("broker")
    world.settle(60)

    assert attempts()[-1]["status"] == 200
    assert world.opportunity_of(deal["id"])["cosell_syncwithpartnercenter"] is True


@contextmanager
def listening() -> Iterator[tuple[int, socket.socket]]:
    """A port on which somebody would notice a call; and its socket, which does not wait."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        door.setblocking(False)
        yield door.getsockname()[1], door


def test_AT_A08_address_in_an_event_is_never_called(world: World) -> None:
    """A signed event names a foreign address: nobody calls there, and what Partner Center holds is what counts."""
    deal = world.created_in_portal()
    world.settle()
    with listening() as (port, door):
        event = {
            "EventName": "referral-updated",
            "ResourceUri": f"https://127.0.0.1:{port}/engagements/v1/referrals/{deal['id']}",
            "ResourceName": "referral",
            "AuditUri": None,
            "ResourceChangeUtcDate": datetime.now(UTC).isoformat(),
        }
        body, headers = Signing(world.layout).request(json.dumps(event).encode(), None, own_header=True)
        answer = world.post_webhook(body, headers)
        world.settle()

        assert answer.status_code == 200
        with pytest.raises(BlockingIOError):
            door.accept()
    # Genuine events name Microsoft's host, which is not where the referrals of this sandbox are read.
    world.portal.edit(deal["id"], {"details": {"dealValue": 81000}})
    world.settle()
    assert world.opportunity_of(deal["id"])["estimatedvalue"] == 81000


def test_AT_A09_no_order_of_starting(world: World) -> None:
    """The parts come up in the wrong order while people work on both sides: what they did waits and then arrives."""
    world.settle()
    world.sandbox.kill("host")
    mine = world.new_deal(help_option=HELP_PROOF_OF_CONCEPT)
    theirs = world.created_in_portal()
    world.sandbox.kill("broker")
    later = world.new_deal()

    log = len(world.log())
    with ThreadPoolExecutor(1) as pool:
        host = pool.submit(world.sandbox.restart, "host")  # it says that it is ready only when its queues are there
        world.until(lambda: "Service Bus is not reachable" in world.log()[log:], "the app waiting for its queues")
        world.sandbox.restart("broker")
        host.result()
    world.settle(60)

    assert world.opportunity(mine)["cosell_referralidentifier"] == world.own_of(mine)["id"]
    assert len(world.microsofts_of(mine)) == 1
    assert world.opportunity(later)["cosell_referralidentifier"] == world.own_of(later)["id"]
    assert world.opportunity_of(theirs["id"])["name"].startswith("✔ ")
