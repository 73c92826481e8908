"""One call to a host, over real sockets: what is sent, what is tried again, what is never done twice."""

from __future__ import annotations

import json
import threading
import traceback
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest

from shared.clients.http import HttpClient, Session, correlation
from shared.clients.limiter import Limiter
from shared.clients.partner_center import PARTNER_CENTER
from shared.clients.wire import read_problem
from shared.errors import (
    AuthorizationError,
    Bug,
    ConfigurationError,
    Conflict,
    DataProblem,
    SyncError,
    Throttled,
    Unavailable,
    UnknownOutcome,
)
from tests.clients.scripted_server import Reply, ScriptedServer, unused_port

TOKEN = "canary-token-1"
SECRET_PATH = "/x?$filter=canary-query"
SECRET_BODY = {"note": "canary-note"}
OK = Reply(200, b'{"amount": 12345678901234567.89}')
DOWN = Reply(503)


class Tokens:
    """Tokens that can be renewed; remembers for what they were asked."""

    def __init__(self) -> None:
        self.value = TOKEN
        self.scopes: list[str] = []
        self.renewed = 0

    def token(self, scope: str) -> str:
        self.scopes.append(scope)
        return self.value

    def renew(self, scope: str, refused: str) -> None:
        assert refused == self.value
        self.renewed += 1
        self.value = f"canary-token-{self.renewed + 1}"


def headers(correlation_id: str) -> Mapping[str, str]:
    return {"client-request-id": str(uuid.uuid4()), "MS-CorrelationId": correlation_id}


def client(url: str, *, tokens: Tokens | None = None, concurrency: int = 4) -> HttpClient:
    limiter = Limiter("the test", calls_per_minute=100_000, concurrency=concurrency)
    return HttpClient(
        url,
        vendor=PARTNER_CENTER,
        tokens=tokens or Tokens(),
        limiter=limiter,
        headers=headers,
        sleep=lambda seconds: None,
    )


# what is sent ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "path", "sent", "data"),
    [
        ("GET", "/", {}, None),
        ("GET", "/x('a%2Fb')?$filter=name%20eq%20'%C3%84%2B1'&$select=a,b", {"accept": "application/json"}, None),
        ("POST", "/x", {}, None),
        ("PATCH", "/x?a=%2C", {"If-Match": 'W/"1"', "Content-Type": "application/json"}, '{"a":"ä"}'.encode()),
    ],
)
def test_an_exchange_is_what_requests_would_make_of_it(
    method: str, path: str, sent: dict[str, str], data: bytes | None
) -> None:
    session = Session(None)
    with ScriptedServer() as server:
        theirs = session.request(method, server.url + path, headers=sent, data=data)
        ours = session.exchange(method, server.url + path, sent, data)
        first, second = ({**vars(asked), "at": 0} for asked in server.asked)
    assert first == second
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    session.close()


def test_a_call_carries_token_ids_and_exact_numbers() -> None:
    tokens = Tokens()
    with ScriptedServer(OK) as server:
        body = {"value": Decimal("0.10"), "big": Decimal("12345678901234567.89"), "text": "ü✔"}
        answer = client(server.url, tokens=tokens).request("POST", "/x", body=body)
    (asked,) = server.asked
    assert answer.body == {"amount": Decimal("12345678901234567.89")}
    assert b'"value":0.10,"big":12345678901234567.89' in asked.body
    assert json.loads(asked.body)["text"] == "ü✔"
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["Content-Type"] == asked.headers["Accept"] == "application/json"
    assert tokens.scopes == [f"{server.url}/.default"]


def test_one_correlation_id_for_all_tries_and_a_fresh_request_id_for_each() -> None:
    change = str(uuid.uuid4())
    token = correlation.set(change)
    try:
        with ScriptedServer(DOWN, DOWN, OK) as server:
            client(server.url).get("/x")
    finally:
        correlation.reset(token)
    assert {asked.headers["MS-CorrelationId"] for asked in server.asked} == {change}
    assert len({asked.headers["client-request-id"] for asked in server.asked}) == 3


def test_without_a_business_change_the_correlation_id_is_new() -> None:
    with ScriptedServer(OK) as server:
        for _ in range(2):
            client(server.url).get("/x")
    first, second = (asked.headers["MS-CorrelationId"] for asked in server.asked)
    assert uuid.UUID(first) != uuid.UUID(second)


def test_nothing_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(OK) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
        monkeypatch.setenv("no_proxy", "")
        client(server.url).get("/x")
    assert len(server.asked) == 1


def test_cookies_are_not_kept() -> None:
    with ScriptedServer(Reply(200, headers={"Set-Cookie": "affinity=1"})) as server:
        http = client(server.url)
        for _ in range(2):
            http.get("/x")
    assert "Cookie" not in server.asked[1].headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_never_followed(status: int, method: str) -> None:
    with ScriptedServer() as elsewhere:
        moved = Reply(status, headers={"Location": f"{elsewhere.url}/steal"})
        with ScriptedServer(moved) as server, pytest.raises(ConfigurationError):
            client(server.url).request(method, "/x")
        assert elsewhere.asked == []
    assert len(server.asked) == 1


# quick tries ----------------------------------------------------------------------------------------------------------
IF_MATCH = {"If-Match": '"1"'}


@pytest.mark.parametrize("failure", [DOWN, Reply(500), Reply(408), Reply(fails="reset"), Reply(fails="cut")])
@pytest.mark.parametrize(("method", "sent"), [("GET", {}), ("PATCH", IF_MATCH)], ids=["GET", "PATCH If-Match"])
def test_harmless_calls_are_tried_three_times(method: str, sent: dict[str, str], failure: Reply) -> None:
    with ScriptedServer(failure, failure, OK) as server:
        assert client(server.url).request(method, "/x", headers=sent).status == 200
    assert len(server.asked) == 3
    with ScriptedServer(failure) as server, pytest.raises(Unavailable):
        client(server.url).request(method, "/x", headers=sent)
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "failure", [DOWN, Reply(500), Reply(408), Reply(fails="reset"), Reply(fails="cut"), Reply(200, b"<html>")]
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_call_that_may_have_been_applied_is_made_once(method: str, failure: Reply) -> None:
    with ScriptedServer(failure) as server, pytest.raises(UnknownOutcome):
        client(server.url).request(method, "/x", body={})
    assert len(server.asked) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_repeatable_writes_are_left_to_the_ladder(method: str) -> None:
    with ScriptedServer(DOWN) as server, pytest.raises(Unavailable):
        client(server.url).request(method, "/x", body={})
    assert len(server.asked) == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "PUT", "DELETE"])
def test_a_refused_connection_is_tried_again_by_any_method(method: str) -> None:
    waits: list[float] = []
    nobody = f"http://127.0.0.1:{unused_port()}"
    limiter = Limiter("nobody", calls_per_minute=100_000, concurrency=1)
    http = HttpClient(
        nobody, vendor=PARTNER_CENTER, tokens=Tokens(), limiter=limiter, headers=headers, sleep=waits.append
    )
    with pytest.raises(Unavailable) as caught:
        http.request(method, "/x", body={})
    assert caught.value.code == "PC_UNREACHABLE"
    assert len(waits) == 2
    assert sum(waits) < 10


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(400, b'{"error":{"code":"invalidRequest","message":"no"}}'), DataProblem),
        (Reply(412), Conflict),
        (Reply(403), AuthorizationError),
        (Reply(405), Bug),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_clear_refusal_is_not_tried_again(method: str, reply: Reply, kind: type[SyncError]) -> None:
    with ScriptedServer(reply) as server, pytest.raises(kind):
        client(server.url).request(method, "/x")
    assert len(server.asked) == 1


# tokens ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refused_token_is_renewed_once_and_the_call_repeated(method: str) -> None:
    tokens = Tokens()
    with ScriptedServer(Reply(401), OK) as server:
        assert client(server.url, tokens=tokens).request(method, "/x").status == 200
    assert [asked.headers["Authorization"] for asked in server.asked] == [
        "Bearer canary-token-1",
        "Bearer canary-token-2",
    ]


def test_a_token_that_stays_refused_is_an_authorization_error() -> None:
    tokens = Tokens()
    with ScriptedServer(Reply(401)) as server, pytest.raises(AuthorizationError) as caught:
        client(server.url, tokens=tokens).get("/x")
    assert (len(server.asked), tokens.renewed) == (2, 1)
    assert caught.value.code == "PC_UNAUTHORIZED"


def test_a_missing_right_or_factor_renews_nothing() -> None:
    for reply in (Reply(403), Reply(401, b'{"code":"900421","description":"MFA"}')):
        tokens = Tokens()
        with ScriptedServer(reply) as server, pytest.raises(AuthorizationError):
            client(server.url, tokens=tokens).get("/x")
        assert (len(server.asked), tokens.renewed) == (1, 0)


@pytest.mark.parametrize(
    "reply", [Reply(500, b"canary-body"), Reply(fails="reset"), Reply(401), Reply(200, b"canary-body")]
)
def test_no_error_tells_a_token_or_a_body(reply: Reply) -> None:
    with ScriptedServer(reply) as server, pytest.raises(SyncError) as caught:
        client(server.url).request("POST", SECRET_PATH, body=SECRET_BODY)
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value)
    assert "canary" not in told


# waiting --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_stops_everybody(form: str) -> None:
    until = datetime.now(UTC) + timedelta(seconds=31)
    value = "30" if form == "seconds" else format_datetime(until, usegmt=True)
    with ScriptedServer(Reply(429, headers={"Retry-After": value}), OK) as server:
        http = client(server.url)
        with pytest.raises(Throttled) as caught:
            http.request("POST", "/x")
        assert 25 < (caught.value.retry_after_s or 0) <= 31
        with pytest.raises(Throttled) as caught:
            http.get("/other")
        assert 25 < (caught.value.retry_after_s or 0) <= 31
    assert len(server.asked) == 1, "nobody calls before the time has passed"


def test_a_short_retry_after_is_waited_for() -> None:
    with ScriptedServer(Reply(429, headers={"Retry-After": "1"}), OK) as server:
        assert client(server.url).request("POST", "/x").status == 200
    first, second = server.asked
    assert second.at - first.at >= 1


def test_without_retry_after_the_pause_is_ours() -> None:
    reply = Reply(429, b'{"statusCode":429,"message":"Rate limit is exceeded."}')
    with ScriptedServer(reply) as server, pytest.raises(Throttled) as caught:
        client(server.url).get("/x")
    assert caught.value.retry_after_s == 5
    assert len(server.asked) == 1


def test_a_503_with_retry_after_stops_everybody_too() -> None:
    with ScriptedServer(Reply(503, headers={"Retry-After": "20"}), OK) as server:
        http = client(server.url)
        with pytest.raises(Throttled):
            http.get("/x")
        with pytest.raises(Throttled):
            http.get("/x")
    assert len(server.asked) == 1


def test_no_more_calls_at_once_than_allowed() -> None:
    with ScriptedServer(Reply(delay_s=0.05)) as server:
        http = client(server.url, concurrency=2)
        errors: list[BaseException] = []

        def call() -> None:
            try:
                http.get("/x")
            except BaseException as error:  # noqa: BLE001 - reported by the assertion below
                errors.append(error)

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert errors == []
    assert (len(server.asked), server.most_at_once) == (8, 2)


# odd answers ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("body", [b"<html>", b"{", b"[" * 100_000, b'{"a": NaN}', b"\xff\xfe{}"])
def test_an_unreadable_success_is_unavailable_for_a_read(body: bytes) -> None:
    with ScriptedServer(Reply(200, body)) as server, pytest.raises(Unavailable) as caught:
        client(server.url).get("/x")
    assert caught.value.code == "PC_UNREADABLE"


def test_no_body_is_no_error() -> None:
    for reply in (Reply(204, b""), Reply(200, b""), Reply(202, b"  ")):
        with ScriptedServer(reply) as server:
            assert client(server.url).request("POST", "/x").body is None


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b'{"error":{"code":"invalidRequest","message":"m","innerError":{"code":"deep"}}}', "deep", "m"),
        (b'{"Error":{"Code":"x","Message":"m","innererror":{"message":"n"}}}', "x", "m"),
        (b'{"code":900421,"description":"m"}', "900421", "m"),
        (b'{"statusCode":429,"message":"m"}', "", "m"),
        (b'{"error":"invalid_grant","error_description":"m"}', "invalid_grant", "m"),
        (b"<html><h1>Bad\n gateway</h1>", "", "<html><h1>Bad gateway</h1>"),
        (b"", "", ""),
        (b"[]", "", ""),
        (b"null", "", ""),
        (b'{"error":null}', "", ""),
        (b'"m"', "", "m"),
        (b"\xff\xfe", "", "\ufffd\ufffd"),
    ],
)
def test_every_shape_of_error_is_read(content: bytes, code: str, message: str) -> None:
    problem = read_problem(400, {}, content, datetime.now(UTC))
    assert (problem.code, problem.message) == (code, message)


def test_the_vendors_words_are_shortened() -> None:
    body: dict[str, Any] = {"error": {"code": "x", "message": "m" * 5000}}
    with ScriptedServer(Reply(400, json.dumps(body).encode())) as server, pytest.raises(DataProblem) as caught:
        client(server.url).request("POST", "/x")
    assert len(caught.value.detail) == 1024
