"""The port `WebhookRegistrations`, on the fake and on the real client against the simulator."""

from __future__ import annotations

import uuid

import pytest

from shared.errors import Conflict, DataProblem, NotFound, Throttled
from shared.ports import WebhookRegistrations
from tests.contract.cloud import Cloud
from tests.fakes.clock import VirtualClock
from tests.fakes.registrations import FakeRegistrations

URL = "https://sync.fjordvik.example/api/partner_center_webhook?code=abc"
EVENTS = ["referral-created", "referral-updated", "test-created"]


@pytest.fixture(params=["fake", "client"])
def port(request: pytest.FixtureRequest) -> WebhookRegistrations:
    if request.param == "fake":
        return FakeRegistrations(VirtualClock())
    cloud: Cloud = request.getfixturevalue("cloud")
    # A limiter of its own for each test: a pause after a 429 is meant to outlast it.
    client = cloud.new_registrations()
    cloud.control("POST", cloud.layout.partner_center_url, "/reset")
    return client


def test_at_first_there_is_none(port: WebhookRegistrations) -> None:
    assert port.current() is None
    with pytest.raises(NotFound):
        port.replace(URL, EVENTS)


def test_what_was_registered_is_there(port: WebhookRegistrations) -> None:
    made = port.register(URL, EVENTS)
    assert (made.url, made.events) == (URL, tuple(EVENTS))
    found = port.current()
    assert found is not None
    assert (found.url, found.events) == (URL, tuple(EVENTS))


def test_a_second_registration_is_a_conflict_and_replacing_is_complete(port: WebhookRegistrations) -> None:
    port.register("https://other.example/hook", ["invoice-ready"])
    with pytest.raises(Conflict):
        port.register(URL, EVENTS)
    port.replace(URL, EVENTS)
    found = port.current()
    assert found is not None
    assert (found.url, found.events) == (URL, tuple(EVENTS))


def test_an_event_that_does_not_exist_is_refused(port: WebhookRegistrations) -> None:
    with pytest.raises(DataProblem):
        port.register(URL, ["referral-exploded"])


def test_a_test_event_needs_its_registration(port: WebhookRegistrations) -> None:
    port.register(URL, ["referral-created"])
    with pytest.raises(DataProblem):
        port.send_test_event()


def test_a_third_test_event_within_a_minute_has_to_wait(port: WebhookRegistrations) -> None:
    port.register(URL, EVENTS)
    assert port.send_test_event() != port.send_test_event()
    with pytest.raises(Throttled) as caught:
        port.send_test_event()
    assert 0 < (caught.value.retry_after_s or 0) <= 60


def test_the_result_of_an_unknown_test_is_not_found(port: WebhookRegistrations) -> None:
    with pytest.raises(NotFound):
        port.test_result(str(uuid.uuid4()))
