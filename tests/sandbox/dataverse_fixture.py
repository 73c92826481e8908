"""Broker and Dataverse as real processes for a test module, with the shortest way to call them.

`crm` is one pair of processes for all tests of a worker; the environment begins anew before each test, and the queues
are emptied where a test asks for `empty_queues`. The connector calls with a token of
its own, `crm.seller` edits as a person through the door below `/_sim`.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.clients import connection
from sandbox.process import PartProcess
from sandbox.tokens import issue_token
from tests.sandbox.known_keys import create_layout

API = "/api/data/v9.2"
OPPORTUNITY_QUEUE = "dynamics-365-opportunities"
SOLUTION_QUEUE = "dynamics-365-solutions"
REPRESENTATION = {"Prefer": "return=representation"}
JSON = dict[str, Any]


class Crm:
    """Broker and Dataverse of one layout."""

    def __init__(self, state: Path) -> None:
        self.layout = create_layout(state)
        self.broker = PartProcess("broker", self.layout.state)
        self.dataverse = PartProcess("dataverse", self.layout.state)
        self.session = connection(self.layout)
        self.token = issue_token(
            self.layout,
            audience=self.layout.dataverse_url,
            client_id=self.layout.app_client_id,
            now=datetime.now(UTC),
            app_only=True,
            expires_in_s=365 * 86_400,  # tests move the clock by weeks
        )

    def start(self) -> None:
        for part in (self.broker, self.dataverse):
            part.start()
        for part in (self.broker, self.dataverse):
            part.wait_ready()

    def stop(self) -> None:
        self.session.close()
        for part in (self.broker, self.dataverse):
            part.kill()
        for part in (self.broker, self.dataverse):
            part.wait()

    # requests -------------------------------------------------------------------------------------------------------
    def api(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """One Web API call by the connector; header names are given with underscores."""
        return self._send(method, f"{API}{path}", body, {"Authorization": f"Bearer {self.token}", **headers})

    def seller(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """The same API, as the seller and without a token."""
        return self._send(method, f"/_sim/user/{self.layout.seller_user_id}{API}{path}", body, headers)

    def sim(self, method: str, path: str, body: Any = None) -> Any:
        """One control request; its JSON answer. Fails on a refusal."""
        answer = self._send(method, f"/_sim{path}", body, {})
        assert answer.ok, f"{method} /_sim{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> requests.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.request(method, self.layout.dataverse_url + path, json=body, headers=sent, timeout=20)

    # rows -----------------------------------------------------------------------------------------------------------
    def create(self, set_name: str, _by: str = "api", **values: Any) -> str:
        """A new row's id; `_by` is api or seller."""
        answer = getattr(self, _by)("POST", f"/{set_name}", values)
        assert answer.status_code == 204, answer.text
        return str(answer.headers["OData-EntityId"].rpartition("(")[2].rstrip(")"))

    def get(self, path: str, **headers: str) -> JSON:
        answer = self.api("GET", path, **headers)
        assert answer.status_code == 200, answer.text
        document: JSON = answer.json()
        return document

    def opportunity(self, _by: str = "api", **values: Any) -> str:
        return self.create("opportunities", _by, **{"name": "Fabrikam cloud move", **values})

    def refused(self, answer: requests.Response) -> tuple[int, str]:
        """Status and code of a refusal."""
        return answer.status_code, answer.json()["error"]["code"]

    # messages -------------------------------------------------------------------------------------------------------
    def messages(self, queue: str = OPPORTUNITY_QUEUE) -> list[JSON]:
        """What is in the queue, once everything was sent: envelopes with the parsed `context`, money as Decimal."""
        until(lambda: self.sim("GET", "/idle")["idle"])
        return self.arrived(queue)

    def arrived(self, queue: str = OPPORTUNITY_QUEUE) -> list[JSON]:
        answer = self.session.get(f"{self.layout.broker_admin_url}/queues/{queue}/messages", timeout=10)
        found: list[JSON] = answer.json()
        for message in found:
            message["context"] = json.loads(message["body"], parse_float=Decimal)
        return found

    def contexts(self, queue: str = OPPORTUNITY_QUEUE) -> list[JSON]:
        return [message["context"] for message in self.messages(queue)]

    def purge(self) -> None:
        """Empty the queues, after what is on its way has arrived."""
        until(lambda: self.sim("GET", "/idle")["idle"])
        for queue in (OPPORTUNITY_QUEUE, SOLUTION_QUEUE):
            self.session.delete(f"{self.layout.broker_admin_url}/queues/{queue}", timeout=10).raise_for_status()


def pairs(members: list[JSON]) -> JSON:
    """A dictionary from its key-value form."""
    return {member["key"]: member["value"] for member in members}


def target(context: JSON) -> JSON:
    """Column → value of a context's Target."""
    return pairs(pairs(context["InputParameters"])["Target"]["Attributes"])


def new_id() -> str:
    return str(uuid.uuid4())


def until(condition: Callable[[], Any], within_s: float = 10.0) -> Any:
    """The condition's first true value; fails after `within_s`."""
    give_up_at = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < give_up_at, f"did not come true within {within_s} s"
        time.sleep(0.01)
    return value


@pytest.fixture(scope="session")
def running_crm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crm]:
    started = Crm(tmp_path_factory.mktemp("crm"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def crm(running_crm: Crm) -> Crm:
    running_crm.sim("POST", "/reset")
    return running_crm


@pytest.fixture
def empty_queues(crm: Crm) -> None:
    """For a test that looks at messages: none of another test's."""
    crm.purge()
