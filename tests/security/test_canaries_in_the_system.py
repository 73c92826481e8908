"""Canaries through the whole system (I7): real host, real broker, both sides out of order, everything read afterwards.

Deals full of personal data and notes travel while either side refuses, fails, throttles and loses answers, until
messages are parked. Then the host's logs, every message in every queue and every audit are searched.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.clients import HELP_PROOF_OF_CONCEPT, SOLUTION_ID, connection
from sandbox.supervisor import Sandbox
from tests.sandbox.known_keys import create_layout
from tests.security import canaries

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.xdist_group("canaries")]

PARTS = ("broker", "entra", "partner_center", "dataverse", "host")
SETTINGS: dict[str, object] = {"DEBOUNCE_SECONDS": 0.2, "SOLUTION_GRACE_SECONDS": 1, "CREATE_LEASE_SECONDS": 2}
PERSON = {"emailaddress1": canaries.MAILBOX, "telephone1": canaries.PHONE}
LONGEST_RUNG_S = 50_000
CHANGE = r"\"queue\":\"dynamics-365-opportunities\""
"""In a parked message's body, within the listing."""
_TOKEN = re.compile(r"eyJ[\w-]{20,}\.[\w-]{20,}")


class Sight:
    """The sandbox and what an operator could read of it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.layout = sandbox, sandbox.layout
        self._http = connection(self.layout)

    def control(self, method: str, address: str, path: str, body: Any = None) -> requests.Response:
        answer = self._http.request(method, f"{address}{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer

    def fault(self, address: str, **fault: Any) -> None:
        self.control("POST", address, "/_sim/faults", fault)

    def heal(self) -> None:
        for address in (self.layout.partner_center_url, self.layout.dataverse_url):
            self.control("DELETE", address, "/_sim/faults")

    def queues(self) -> dict[str, dict[str, int]]:
        counts: dict[str, dict[str, int]] = self.control("GET", self.layout.broker_admin_url, "/queues").json()
        return counts

    def wait(self, what: str, look: Callable[[], bool], within_s: float = 30) -> None:
        give_up_at = time.monotonic() + within_s
        while not look():
            assert time.monotonic() < give_up_at, what
            time.sleep(0.05)

    def messages(self) -> Iterator[str]:
        """Every message the connector put somewhere; those of Dataverse that await their first reading are not its."""
        for queue in self.queues():
            for dead in ("false", "true"):
                path = f"/queues/{queue}/messages?limit=1000&dead_letter={dead}"
                for message in self.control("GET", self.layout.broker_admin_url, path).json():
                    if not any("xrm/2011/Claims" in name for name in message["application_properties"]):
                        yield json.dumps(message, ensure_ascii=False)

    def audits(self) -> Iterator[str]:
        for table in ("opportunity", "lead"):
            for row in self.control("GET", self.layout.dataverse_url, f"/_sim/rows/{table}").json():
                yield str(row.get("cosell_audit") or "")

    def logs(self) -> str:
        return "".join(
            path.read_text(encoding="utf-8", errors="replace")
            for path in (self.layout.state / "logs").glob("host*.log*")
        )

    def secrets(self) -> dict[str, str]:
        """This sandbox's own."""
        vault = json.loads((self.layout.state / "entra.json").read_text(encoding="utf-8"))
        refresh = {f"refresh token {n}": token["token"] for n, token in enumerate(vault["refresh_tokens"])}
        sas_key = self.layout.service_bus_connection.split("SharedAccessKey=")[1].split(";")[0]
        return {
            "client secret": self.layout.app_client_secret,
            "host key": self.layout.host_key,
            "SAS": sas_key,
            **refresh,
        }


@pytest.fixture
def sight(tmp_path: Path) -> Iterator[Sight]:
    layout = create_layout(tmp_path)
    url = f"{layout.host_url}/api/partner_center_webhook?code={canaries.FUNCTION_KEY}&mail={canaries.MAILBOX}"
    with Sandbox(layout, settings={**SETTINGS, "WEBHOOK_URL": url}, parts=PARTS) as sandbox:
        yield Sight(sandbox)


def test_nothing_of_a_deal_is_read_anywhere(sight: Sight) -> None:
    sandbox, seller, portal = sight.sandbox, sight.sandbox.seller, sight.sandbox.portal
    center, crm = sight.layout.partner_center_url, sight.layout.dataverse_url
    sandbox.register_webhook()
    account = seller.account(name="Contoso Canary")
    contact = seller.contact(account, **PERSON)

    def deal(**values: Any) -> str:
        opportunity = seller.opportunity(account, contact, description=canaries.NOTE, **values)
        seller.solution(opportunity, SOLUTION_ID)
        return opportunity

    # A healthy deal in both directions: the canaries do travel, where they are meant to.
    shared = deal(cosell_howcanmicrosofthelp=HELP_PROOF_OF_CONCEPT)
    sight.wait("the deal was shared", lambda: bool(portal.of_opportunity(shared)))
    inbound = portal.inbound(details={"notes": canaries.NOTE, "dealValue": 5, "currency": "USD"})
    sandbox.wait_idle()
    [own] = portal.of_opportunity(shared)
    assert {"e-mail address", "telephone number", "note"} <= set(canaries.found(json.dumps(own)))

    # Refusals and outages of every kind, on either side, one call each.
    for status in (400, 401, 403, 404, 405, 409, 412, 413, 422, 429, 500, 503):
        for address in (center, crm):
            for method, body in (("GET", "vendor"), ("PATCH", "vendor"), ("POST", "html")):
                prefix = "/v1.0" if address == center else "/api/data"
                sight.fault(address, kind="status", status=status, times=1, method=method, path=prefix, body=body)
        seller.update("opportunities", shared, description=f"{canaries.NOTE} {status}")
        seller.update("contacts", contact, emailaddress1=f"{status}.{canaries.MAILBOX}")
        portal.edit(inbound["id"], {"details": {"notes": f"{canaries.NOTE} {status}"}})
        deal(name=f"Canary {status}")
        time.sleep(0.4)
    sight.fault(center, kind="reset", times=3)
    sight.fault(crm, kind="lost_answer", times=3)
    deal(name="Canary reset")
    time.sleep(1)

    # One that is refused until it is parked, from either side's queue.
    sight.heal()
    sight.fault(center, kind="status", status=405, path="/v1.0")
    sight.fault(crm, kind="status", status=405, method="GET", path="/api/data/v9.2/opportunities")
    portal.edit(inbound["id"], {"details": {"notes": canaries.NOTE}})
    seller.update("contacts", contact, telephone1=canaries.PHONE, description=canaries.NOTE)

    def is_parked() -> bool:
        sight.control("POST", sight.layout.broker_admin_url, "/clock", {"advance_s": LONGEST_RUNG_S})
        time.sleep(0.3)
        return any(CHANGE in message for message in sight.messages())

    sight.wait("a change of Dataverse was parked", is_parked, within_s=60)
    messages, audits, logs = list(sight.messages()), list(sight.audits()), sight.logs()
    assert sum("FAILED" in audit for audit in audits) >= 1
    assert logs.count("next try in") > 20
    places = {"queues": "\n".join(messages), "audits": "\n".join(audits), "logs": logs}
    leaks = {where: told for where, text in places.items() if (told := canaries.found(text))}
    assert leaks == {}
    own_secrets = {
        where: [name for name, value in sight.secrets().items() if value in text] for where, text in places.items()
    }
    assert own_secrets == {"queues": [], "audits": [], "logs": []}
    assert {where: _TOKEN.findall(text) for where, text in places.items()} == {"queues": [], "audits": [], "logs": []}
