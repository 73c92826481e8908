"""A simulator that is killed comes back with its referrals, its registration, its clock and its undelivered events."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.process import PartProcess
from tests.sandbox.partner_center_deals import create, create_co_sell, read, replace
from tests.sandbox.partner_center_fixture import REFERRALS, REGISTRATION, Cloud, until
from tests.sandbox.webhook_receiver import Receiver

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("partner_center")]


def kill_and_restart(cloud: Cloud) -> None:
    cloud.partner_center.kill()
    cloud.partner_center.start()
    cloud.partner_center.wait_ready()


def test_nothing_is_forgotten(fresh_cloud: Cloud, receiver: Receiver) -> None:
    body = {"WebhookUrl": receiver.url, "WebhookEvents": ["referral-created", "related-referral-created"]}
    fresh_cloud.api("POST", REGISTRATION, body)
    fresh_cloud.sim("PUT", "/delivery", {"mode": "stopped", "parallel": 3})
    fresh_cloud.sim("PUT", "/quirks", {"page_size": 7})
    fresh_cloud.sim("POST", "/clock", {"advance_s": 3600})
    own, theirs = create_co_sell(fresh_cloud)
    before = fresh_cloud.sim("GET", "/referrals")
    kill_and_restart(fresh_cloud)
    assert fresh_cloud.sim("GET", "/referrals") == before
    assert fresh_cloud.api("GET", REGISTRATION).json()["WebhookUrl"] == receiver.url
    assert fresh_cloud.sim("GET", "/quirks")["page_size"] == 7
    assert fresh_cloud.sim("GET", "/clock")["ahead_s"] == 3600
    stopped = fresh_cloud.sim("GET", "/idle")
    assert (stopped["idle"], stopped["pending"]) == (True, 2)
    fresh_cloud.sim("PUT", "/delivery", {"mode": "normal"})
    until(lambda: len(receiver.received) == 2)
    assert {referral_id for _, referral_id in receiver.events()} == {own["id"], theirs["id"]}


def test_attempts_are_counted_across_a_kill(fresh_cloud: Cloud, receiver: Receiver) -> None:
    receiver.statuses = [500]
    fresh_cloud.api("POST", REGISTRATION, {"WebhookUrl": receiver.url, "WebhookEvents": ["referral-created"]})
    fresh_cloud.sim("PUT", "/delivery", {"schedule_s": [0.01, 60], "attempts": 3})
    create(fresh_cloud)
    until(lambda: fresh_cloud.sim("GET", "/events")[0]["attempts"] == 2)
    kill_and_restart(fresh_cloud)
    until(lambda: fresh_cloud.sim("GET", "/events")[0]["state"] == "dead")
    assert [one["attempt"] for one in fresh_cloud.sim("GET", "/deliveries")] == [1, 2, 3]


def test_versions_do_not_repeat_after_a_restart(fresh_cloud: Cloud) -> None:
    own = create(fresh_cloud)
    kill_and_restart(fresh_cloud)
    fresh_cloud.api("PATCH", f"{REFERRALS}/{own['id']}", [replace("/name", own["name"])])
    assert read(fresh_cloud, own)["eTag"] != own["eTag"]


def test_a_reset_forgets_everything(fresh_cloud: Cloud, receiver: Receiver) -> None:
    fresh_cloud.api("POST", REGISTRATION, {"WebhookUrl": receiver.url, "WebhookEvents": ["referral-created"]})
    fresh_cloud.sim("PUT", "/delivery", {"mode": "stopped"})
    create(fresh_cloud)
    fresh_cloud.sim("POST", "/reset")
    assert fresh_cloud.sim("GET", "/referrals") == fresh_cloud.sim("GET", "/events") == []
    assert fresh_cloud.sim("GET", "/delivery")["mode"] == "normal"
    assert fresh_cloud.sim("GET", "/idle")["pending"] == 0
    assert fresh_cloud.api("GET", REGISTRATION).status_code == 404
    assert receiver.received == []


def run_part(part: str, state: Path) -> tuple[int | None, list[str]]:
    """Its exit code and what it said."""
    process = PartProcess(part, state)
    process.start()
    process.wait(30)
    return process.exit_code, process.log_lines()[1:]


def test_a_taken_port_ends_with_one_sentence(fresh_cloud: Cloud) -> None:
    code, said = run_part("partner_center", fresh_cloud.layout.state)
    assert (code, len(said)) == (1, 1), said
    assert said[0].startswith(f"Port {fresh_cloud.layout.ports['partner_center']} for partner_center")


def test_an_empty_state_directory_is_named(tmp_path: Path) -> None:
    code, said = run_part("entra", tmp_path)
    assert code == 2
    assert "holds no readable sandbox.json" in "".join(said)
    assert "Traceback" not in "".join(said)


def test_sigterm_ends_the_process_cleanly(tmp_path: Path) -> None:
    other = Cloud(tmp_path)
    other.start()
    other.stop()
    for part in (other.entra, other.partner_center):
        assert part.pid is None
        assert part.exit_code == 0
        assert part.log_lines()[1].startswith("ready https://localhost:")
        assert len(part.log_lines()) == 2, part.log_lines()
