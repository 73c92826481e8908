"""The sandbox's own client, against a server that says and does what a script tells it, on one connection at a time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from sandbox.loopback import Loopback

FINE = b"HTTP/1.1 200 Fine\r\nContent-Type: application/json\r\nX-One: 1\r\nContent-Length: 7\r\n\r\n[1,2,3]"
type Serve = Callable[[socket.socket], None]


@contextmanager
def server(*serve: Serve) -> Iterator[str]:
    """Serves as many connections as there are functions, in their order; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def run() -> None:
            for each in serve:
                line, _ = listener.accept()
                with line:
                    line.settimeout(10)
                    each(line)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            thread.join(10)


def answering(heard: list[bytes], *answers: bytes) -> Serve:
    """Answers that many requests, then closes."""

    def serve(line: socket.socket) -> None:
        for answer in answers:
            heard.append(line.recv(65536))
            line.sendall(answer)

    return serve


@pytest.fixture
def http(tmp_path: Path) -> Iterator[Loopback]:
    with Loopback(tmp_path / "no-authority.pem") as session:
        yield session


def test_an_answer_is_one_of_requests(http: Loopback) -> None:
    heard: list[bytes] = []
    with server(answering(heard, FINE)) as address:
        answer = http.get(f"{address}/a b", params={"$filter": "name eq 'Ä'"}, headers={"X-Key": "k"}, timeout=5)
    assert (answer.status_code, answer.reason, answer.ok, answer.json()) == (200, "Fine", True, [1, 2, 3])
    assert answer.headers["x-one"] == "1"
    assert answer.url == f"{address}/a%20b?%24filter=name+eq+%27%C3%84%27"
    assert (answer.request.method, answer.request.path_url) == ("GET", "/a%20b?%24filter=name+eq+%27%C3%84%27")
    assert heard[0].decode().split("\r\n") == [
        "GET /a%20b?%24filter=name+eq+%27%C3%84%27 HTTP/1.1",
        f"Host: {address.removeprefix('http://')}",
        "Accept: */*",
        "X-Key: k",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("given", "kind", "body"),
    [
        ({"json": {"a": "ä"}}, "application/json", b'{"a": "\\u00e4"}'),
        ({"json": False}, "application/json", b"false"),
        ({"json": {}, "headers": {"Content-Type": "text/plain"}}, "text/plain", b"{}"),
        ({"data": b"\xff"}, None, b"\xff"),
        ({"data": "ä"}, None, "ä".encode()),
        ({}, None, b""),
    ],
)
def test_what_is_sent(http: Loopback, given: dict[str, object], kind: str | None, body: bytes) -> None:
    heard: list[bytes] = []
    with server(answering(heard, FINE)) as address:
        http.request("POST", f"{address}/x", **given)  # type: ignore[arg-type]
    head, _, sent = heard[0].partition(b"\r\n\r\n")
    assert sent == body
    assert f"Content-Length: {len(body)}".encode() in head
    assert (b"Content-Type" in head) is (kind is not None)
    assert kind is None or f"Content-Type: {kind}".encode() in head


def test_a_connection_is_kept_until_the_server_ends_it(http: Loopback) -> None:
    heard: list[bytes] = []
    gone = threading.Event()

    def twice(line: socket.socket) -> None:
        answering(heard, FINE, FINE)(line)
        line.close()
        gone.set()

    with server(twice, answering(heard, FINE)) as address:
        assert http.get(f"{address}/1").ok
        assert http.get(f"{address}/2").ok
        assert gone.wait(5)
        assert http.post(f"{address}/3").ok  # on the second connection; the first one is not tried
    assert [line.split()[1] for line in heard] == [b"/1", b"/2", b"/3"]


def test_a_connection_that_is_to_be_closed_is_not_used_again(http: Loopback) -> None:
    heard: list[bytes] = []
    last = FINE.replace(b"X-One: 1", b"Connection: close")

    def and_waits(line: socket.socket) -> None:
        answering(heard, last)(line)
        assert line.recv(1) == b""  # the client has closed

    with server(and_waits, answering(heard, FINE)) as address:
        assert http.get(address).ok
        assert http.get(address).ok


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1,", b"no HTTP at all\r\n\r\n"])
def test_no_whole_answer_is_a_connection_error(http: Loopback, said: bytes) -> None:
    heard: list[bytes] = []
    with server(answering(heard, said)) as address, pytest.raises(requests.ConnectionError):
        http.post(address, timeout=5)
    assert len(heard) == 1


def test_patience_ends(http: Loopback) -> None:
    done = threading.Event()
    with server(lambda _: done.wait(5) and None) as address:
        with pytest.raises(requests.Timeout):
            http.get(address, timeout=0.05)
        done.set()


def test_nobody_listens(http: Loopback) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(requests.ConnectionError):
        http.get(f"http://127.0.0.1:{port}/", timeout=5)
