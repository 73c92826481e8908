"""The page's server without a browser: what it refuses, and in which words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.clients import connection
from sandbox.supervisor import Sandbox
from tests.sandbox.known_keys import create_layout

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("page-server")]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Partner Center and the page; the other parts are not running."""
    layout = create_layout(tmp_path_factory.mktemp("server"))
    with Sandbox(layout, parts=("partner_center", "page")) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "words"),
    [
        ("POST", "/api/partner-center/deals", "{}", {"Content-Type": "text/plain"}, 415, "Send JSON"),
        ("POST", "/api/partner-center/deals", "{}", {"Content-Type": "application/json"}, 400, "the deal name"),
        ("POST", "/api/partner-center/deals", "nonsense", {"Content-Type": "application/json"}, 400, "the request"),
        ("POST", "/api/elsewhere/deals", "{}", {"Content-Type": "application/json"}, 404, "no side elsewhere"),
        ("PATCH", "/api/dynamics-365/deals/no-id", "{}", {"Content-Type": "application/json"}, 404, "no such deal"),
        ("PUT", "/api/switches/gravity", '{"on": true}', {"Content-Type": "application/json"}, 404, "gravity"),
        ("GET", "/api/board", "", {"Host": "rebound.example"}, 400, "Invalid host"),
    ],
)
def test_bad_requests_are_refused(
    live: Sandbox, method: str, path: str, body: str, headers: dict[str, str], status: int, words: str
) -> None:
    with connection(live.layout) as http:
        answer = http.request(method, f"{live.layout.page_url}{path}", data=body, headers=headers, timeout=10)
    assert answer.status_code == status
    assert words in answer.text


def test_an_unknown_deal_is_refused_in_the_simulators_words(live: Sandbox) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    with connection(live.layout) as http:
        answer = http.patch(
            f"{live.layout.page_url}/api/partner-center/deals/{nobody}", json={"value": "1"}, timeout=10
        )
    assert answer.status_code == 409
    assert answer.json() == {"error": f"There is no referral '{nobody}'."}


def test_a_part_that_does_not_answer_is_a_sentence(live: Sandbox) -> None:
    deal = {"name": "Deal", "customer": "Contoso", "value": "5", "closing_date": "2027-01-31"}
    with connection(live.layout) as http:
        board = http.get(f"{live.layout.page_url}/api/board", timeout=10).json()
        answer = http.post(f"{live.layout.page_url}/api/dynamics-365/deals", json=deal, timeout=10)
    assert board["pairs"] == []
    assert board["switches"] == {"down": False, "slow": False, "busy": False, "silent": False}
    assert [problem.partition(" does not")[0] for problem in board["problems"]] == [
        "Partner Center or Dynamics 365",
        "Service Bus",
        "The function app",
    ]
    assert answer.status_code == 503
    assert answer.json() == {
        "error": "That part of the sandbox does not answer; it may be restarting. Try again in a moment."
    }
