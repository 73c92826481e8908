"""Entra and Partner Center as real processes for a test module, with the shortest way to call them.

`cloud` is one pair of processes for all tests of a worker; `fresh_cloud` empties them first. Answers of the referrals
and registration APIs are held against the vendor's published contracts by `tests.sandbox.published_contract`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from sandbox.clients import connection
from sandbox.process import PartProcess
from sandbox.tokens import issue_token
from tests.sandbox.known_keys import create_layout
from tests.sandbox.published_contract import check_answer

REFERRALS = "/v1.0/engagements/referrals"
REGISTRATION = "/webhooks/v1/registration"
JSON = dict[str, Any]


class Cloud:
    """The two simulators of one layout."""

    def __init__(self, state: Path) -> None:
        self.layout = create_layout(state)
        self.entra = PartProcess("entra", self.layout.state)
        self.partner_center = PartProcess("partner_center", self.layout.state)
        self.session = connection(self.layout)
        self._tokens: dict[str, str] = {}

    def start(self) -> None:
        for part in (self.entra, self.partner_center):
            part.start()
        for part in (self.entra, self.partner_center):
            part.wait_ready()

    def stop(self) -> None:
        for part in (self.entra, self.partner_center):
            part.terminate()
        for part in (self.entra, self.partner_center):
            part.wait()
        self.session.close()

    def token(self, **changes: Any) -> str:
        """An access token for Partner Center; by default the service user's, as Entra would issue it."""
        key = repr(sorted(changes.items()))
        if key not in self._tokens:
            wanted: JSON = {
                "audience": self.layout.partner_center_url,
                "client_id": self.layout.app_client_id,
                "now": datetime.now(UTC) + timedelta(seconds=changes.pop("ahead_s", 0)),
                "user": self.layout.service_user,
                "roles": ["ReferralsAdmin"],
                "expires_in_s": 365 * 86_400,  # tests move the clock by weeks
            }
            self._tokens[key] = issue_token(self.layout, **(wanted | changes))
        return self._tokens[key]

    def api(
        self, method: str, path: str, body: Any = None, *, token: JSON | None = None, **headers: str
    ) -> requests.Response:
        """One API call with a token, held against the contract. Header names are given with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Authorization"] = f"Bearer {self.token(**(token or {}))}"
        answer = self.session.request(method, self.layout.partner_center_url + path, json=body, headers=sent)
        check_answer(method, path, answer)
        return answer

    def form(self, address: str, values: dict[str, str]) -> requests.Response:
        """A form, as it is sent to Entra."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.session.post(address, data=urlencode(values), headers=headers)

    def sim(self, method: str, path: str, body: Any = None, *, part: str = "partner_center") -> Any:
        """One control request; its JSON answer. Fails on a refusal."""
        address = self.layout.entra_url if part == "entra" else self.layout.partner_center_url
        answer = self.session.request(method, f"{address}/_sim{path}", json=body)
        assert answer.ok, f"{method} /_sim{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def until(condition: Callable[[], Any], within_s: float = 5.0) -> Any:
    """The condition's first true value; fails after `within_s`."""
    give_up_at = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < give_up_at, f"did not come true within {within_s} s"
        time.sleep(0.01)
    return value


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    started = Cloud(tmp_path_factory.mktemp("cloud"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def fresh_cloud(cloud: Cloud) -> Cloud:
    for part in ("entra", "partner_center"):
        cloud.sim("POST", "/reset", part=part)
    return cloud
