"""The HTTP side of the Functions host over a real socket: bytes, routes, keys, limits, failures, stop."""

from __future__ import annotations

import hashlib
import http.client
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.sandbox.host_process import APPS, Host, wait_for

LIMIT = 300_000
pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("host-http")]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host(
        "web",
        tmp_path_factory.mktemp("host-http"),
        TIMER_SCHEDULE="0 0 3 * * *",
        FUNCTIONS_REQUEST_BODY_SIZE_LIMIT=LIMIT,
    )
    host.start()
    yield host
    assert host.child.end() == 0, host.child.text()


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
@pytest.mark.parametrize(
    "body",
    [b"", bytes(range(256)), b'{"a": 1}\r\n', "\ufeffé✔".encode(), random.Random(3).randbytes(LIMIT)],
    ids=["empty", "every byte", "line end", "byte order mark", "at the limit"],
)
def test_body_bytes_arrive_and_return_untouched(host: Host, body: bytes, chunked: bool) -> None:
    pieces = (body[start : start + 7919] for start in range(0, len(body), 7919))
    answer = host.ask("POST", "/api/bytes", data=pieces if chunked else body)
    assert answer.content == body
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.cookies["seen"] == "yes"


def test_the_request_has_the_shape_of_the_real_host(host: Host) -> None:
    answer = host.ask(
        "POST", "/API/echo/Deal/-12/?name=a&name=b%20c&empty=", data=b"\xff\x00", headers={"X-Ms-Signature": "ABC="}
    )
    assert (answer.status_code, answer.headers["X-Seen"]) == (201, "yes")
    seen = answer.json()
    assert seen["method"] == "POST"
    assert seen["url"] == f"{host.layout.host_url}/API/echo/Deal/-12/?name=a&name=b%20c&empty="
    assert seen["headers"]["x-ms-signature"] == "ABC="
    assert seen["query"] == {"name": "a,b c"}
    assert seen["route"] == {"kind": "Deal", "id": "-12"}
    assert seen["sha256"] == hashlib.sha256(b"\xff\x00").hexdigest()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/echo/deal", 201),
        ("PUT", "/api/echo/deal/7", 201),
        ("GET", "/api/echo/deal/7", 404),
        ("POST", "/api/echo/deal/seven", 404),
        ("POST", "/api/echo", 404),
        ("POST", "/echo/deal", 404),
        ("GET", "/", 404),
        ("GET", "/api/nowhere", 404),
    ],
)
def test_routes(host: Host, method: str, path: str, status: int) -> None:
    assert host.ask(method, path).status_code == status


def test_a_fixed_route_wins_over_a_parameter(host: Host) -> None:
    answer = host.ask("POST", "/api/echo/fixed")
    assert (answer.status_code, answer.text) == (200, "fixed wins")


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        ("/api/keyed", None, 401),
        ("/api/keyed", "wrong", 401),
        ("/api/keyed", "sandbox-host-key", 200),
        ("/api/keyed?code=sandbox-host-key", None, 200),
        ("/api/keyed?code=wrong", None, 401),
        ("/api/owner", None, 401),
        ("/api/owner", "sandbox-host-key", 200),
        ("/admin/host/status", None, 401),
        ("/admin/host/status", "sandbox-host-key", 200),
        ("/admin/nothing", "sandbox-host-key", 404),
    ],
)
def test_keys(host: Host, path: str, header: str | None, status: int) -> None:
    answer = host.get(path, headers={"x-functions-key": header} if header else {})
    assert answer.status_code == status
    if status == 401:
        assert answer.content == b""


@pytest.mark.parametrize(
    ("path", "last_line"),
    [("/api/fails", "RuntimeError: secret detail"), ("/api/wrong", "TypeError: unable to encode")],
    ids=["raises", "returns what is no response"],
)
def test_a_failure_shows_nothing_to_the_caller_and_one_line_to_the_log(host: Host, path: str, last_line: str) -> None:
    name = path.rpartition("/")[2]
    answer = host.get(path)
    assert (answer.status_code, answer.content) == (500, b"")
    lines = [line for line in host.child.text().splitlines() if f" {name} " in line]
    assert len(lines) == 1
    assert " ms failed: " + last_line in lines[0]
    assert "Traceback" not in host.child.text()
    assert "Traceback" in (host.state / "logs" / "host-detail.log").read_text()
    assert host.counts(name) == {"invocations": 1, "succeeded": 0, "failed": 1, "running": 0}


def test_an_answer_that_http_cannot_carry_is_a_500(host: Host) -> None:
    answer = host.get("/api/header")
    assert (answer.status_code, answer.content) == (500, b"")
    assert "header answered what HTTP cannot carry" in host.child.text()


def test_a_function_that_takes_longer_than_function_timeout_fails(tmp_path: Path) -> None:
    app = tmp_path / "app"
    shutil.copytree(APPS / "web", app)
    (app / "host.json").write_text('{"version": "2.0", "functionTimeout": "00:00:01"}')
    host = Host(app, tmp_path, TIMER_SCHEDULE="0 0 3 * * *")
    host.start()
    assert host.get("/api/slow?s=3").status_code == 500
    assert "failed: did not end within the functionTimeout of 1 s" in host.child.text()
    assert host.child.end() == 0


def test_environment_variables_win_over_the_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMER_SCHEDULE", "not a schedule")
    host = Host("web", tmp_path, TIMER_SCHEDULE="0 0 3 * * *")
    child = host.start(ready=False)
    child.wait(10)
    assert child.exit_code == 1
    assert 'the schedule "not a schedule"' in child.text()


def test_too_large_a_body_is_refused_before_it_is_read(host: Host) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", host.layout.ports["host"], timeout=10)
    connection.putrequest("POST", "/api/bytes")
    connection.putheader("content-length", str(50_000_000_000))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_chunked_body_is_refused_where_it_exceeds_the_limit(host: Host) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", host.layout.ports["host"], timeout=10)
    connection.putrequest("POST", "/api/bytes")
    connection.putheader("transfer-encoding", "chunked")
    connection.endheaders()
    for _ in range(2):
        connection.send(b"%x\r\n%s\r\n" % (LIMIT - 1, b"x" * (LIMIT - 1)))
    assert connection.getresponse().status == 413  # the body has not ended
    connection.close()


def test_requests_beyond_the_outstanding_ones_get_429(host: Host) -> None:
    with ThreadPoolExecutor(3) as pool:

        def together() -> list[int]:
            begun = time.monotonic()
            statuses = sorted(answer.status_code for answer in pool.map(host.get, ["/api/slow?s=0.5"] * 3))
            assert time.monotonic() - begun >= 1, "maxConcurrentRequests is 1"
            return statuses

        wait_for(lambda: together() == [200, 200, 429])  # a busy machine may send one of them too late
    assert host.get("/api/slow?s=0").status_code == 200


def test_answers_do_not_wait_for_the_callers_acknowledgement(host: Host) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", host.layout.ports["host"], timeout=10)
    begun = time.monotonic()
    for _ in range(30):
        connection.request("POST", "/api/bytes", body=b"x" * 2000)
        assert len(connection.getresponse().read()) == 2000
    connection.close()
    assert time.monotonic() - begun < 0.9, "a delayed ACK costs 40 ms each"


def test_a_stop_finishes_what_runs_and_takes_nothing_new(tmp_path: Path) -> None:
    host = Host("web", tmp_path, TIMER_SCHEDULE="0 0 3 * * *")
    child = host.start()
    answers: list[str] = []
    caller = threading.Thread(target=lambda: answers.append(host.get("/api/slow?s=0.5").text))
    caller.start()
    wait_for(lambda: host.counts("slow")["running"])
    assert child.end(signal.SIGINT) == 0
    caller.join()
    assert answers == ["slept"]


def test_a_stop_does_not_wait_for_what_never_ends(tmp_path: Path) -> None:
    host = Host("web", tmp_path, "--grace", "0.2", TIMER_SCHEDULE="0 0 3 * * *")
    child = host.start()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(host.get, "/api/slow?s=60")
        wait_for(lambda: host.counts("slow")["running"])
        begun = time.monotonic()
        assert child.end() == 0
        assert time.monotonic() - begun < 5
        assert call.exception() is not None or call.result().status_code >= 500
