"""Many rows in one request: what is sent, what is made of the parts of the answer, and that every part counts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from shared.clients import batch
from shared.clients.dataverse import DATAVERSE, DataverseClient, dataverse_headers
from shared.clients.http import HttpClient
from shared.clients.limiter import Limiter
from shared.errors import AuthorizationError, ConfigurationError, SyncError, Throttled, Unavailable
from tests.clients.scripted_server import Reply, ScriptedServer
from tests.clients.stubs import OneToken, http_client

ROW = "3c9e1f60-7b47-f111-bec6-000d3a5b7c21"
MANY = [f"00000000-0000-4000-8000-{number:012}" for number in range(51)]
"""More than one part holds."""
KINDS = Reply(200, json.dumps({"value": [{"LogicalName": "name", "AttributeType": "String"}]}).encode())
ROWS: Mapping[str, Any] = {"value": [{"@odata.etag": 'W/"1"', "opportunityid": ROW, "name": "Størst ✔\r\n--b"}]}


def client(server: ScriptedServer) -> DataverseClient:
    return DataverseClient(http_client(server.url, DATAVERSE, dataverse_headers))


def part(body: object, status: int = 200, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", "Content-Type: application/json", "OData-Version: 4.0"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    return (head + "\r\n".join(lines) + "\r\n\r\n").encode() + json.dumps(body, ensure_ascii=False).encode()


def multipart(*parts: bytes) -> Reply:
    body = b"".join(b"--batchresponse_1\r\n" + one + b"\r\n" for one in parts) + b"--batchresponse_1--\r\n"
    return Reply(200, body, {"Content-Type": "multipart/mixed; boundary=batchresponse_1"})


def error(code: str) -> dict[str, object]:
    return {"error": {"code": code, "message": "words of the vendor"}}


def test_every_part_is_a_whole_request() -> None:
    with ScriptedServer(KINDS, multipart(part(ROWS), part({"value": []}))) as server:
        found = client(server).get_many("opportunity", MANY, ["name"])
    assert found[ROW].values == {"name": "Størst ✔\r\n--b"}
    assert found[ROW].etag == 'W/"1"'
    asked = server.asked[1]
    assert (asked.method, asked.path) == ("POST", "/api/data/v9.2/$batch")
    assert asked.headers["Prefer"] == "odata.continue-on-error"
    assert asked.headers["Authorization"] == "Bearer token"
    boundary = asked.headers["Content-Type"].partition('boundary="')[2].rstrip('"')
    text = asked.body.decode("ascii")
    assert text.endswith(f"\r\n--{boundary}--\r\n")
    parts = text.split(f"--{boundary}\r\n")[1:]
    assert len(parts) == 2
    for one in parts:
        assert one.startswith(
            "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET /api/data"
        )
        assert "\r\nIf-None-Match: null\r\n" in one
        assert "lookuplogicalname" in one
        assert "Bearer" not in one
        assert one.count("\r\n\r\n") == 2, "a blank line ends the headers, though there is no body"
    assert [len(re.findall("opportunityid%20eq", one)) for one in parts] == [50, 1]


@pytest.mark.parametrize(
    ("failed", "kind", "code"),
    [
        (part(error("0x80060888"), 400), ConfigurationError, "DV_COLUMN"),
        (part(error("0x80040220"), 403), AuthorizationError, "DV_FORBIDDEN"),
        (part(error("0x80044150"), 500), Unavailable, "DV_UNAVAILABLE"),
        (part(error("0x80072322"), 429, Retry_After="600"), Throttled, "DV_THROTTLED"),
    ],
)
def test_one_part_that_failed_fails_the_read(failed: bytes, kind: type[SyncError], code: str) -> None:
    with ScriptedServer(KINDS, multipart(part(ROWS), failed)) as server, pytest.raises(kind) as caught:
        client(server).get_many("opportunity", MANY, ["name"])
    assert caught.value.code == code


def test_a_part_that_failed_for_a_moment_is_read_again_with_all() -> None:
    later = multipart(part(error("0x80044150"), 503))
    with ScriptedServer(KINDS, later, multipart(part(ROWS))) as server:
        assert client(server).get_many("opportunity", [ROW], ["name"]).keys() == {ROW}
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, b"{}", {"Content-Type": "application/json"}),
        Reply(200, b"", {"Content-Type": "multipart/mixed; boundary=b"}),
        Reply(200, b"--b\r\n", {"Content-Type": "multipart/mixed; boundary=b"}),
        Reply(200, b"--b\r\n\r\nno answer\r\n--b--", {"Content-Type": "multipart/mixed; boundary=b"}),
        multipart(),
        multipart(part(ROWS), part(ROWS)),
        multipart(part([])),
    ],
    ids=["json", "empty", "cut", "no http", "no part", "a part too many", "no page"],
)
def test_what_is_no_answer_to_a_batch_is_unreadable(answer: Reply) -> None:
    with ScriptedServer(KINDS, answer) as server, pytest.raises(Unavailable) as caught:
        client(server).get_many("opportunity", [ROW], ["name"])
    assert caught.value.code == "DV_UNREADABLE"


def test_every_part_counts_as_a_call() -> None:
    slept: list[float] = []
    moment = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        moment[0] += seconds

    limiter = Limiter("host", calls_per_minute=16, concurrency=1, now=lambda: moment[0], sleep=sleep)
    with ScriptedServer(KINDS, multipart(part(ROWS), part({"value": []})), Reply()) as server:
        http = HttpClient(
            server.url, vendor=DATAVERSE, tokens=OneToken(), limiter=limiter, headers=dataverse_headers, sleep=sleep
        )
        DataverseClient(http).get_many("opportunity", MANY, ["name"])  # metadata one, rows two: three of four
        assert slept == []
        http.get("/x")
        assert slept == []
        http.get("/x", patience_s=60)
    assert sum(slept) == pytest.approx(5)


def test_headers_of_a_part_ignore_case() -> None:
    (answer,) = batch.answers("multipart/mixed; boundary=b", b"--b\r\n" + part({}, 429, retry_after="7") + b"\r\n--b--")
    assert (answer.status, answer.headers["Retry-After"], answer.content) == (429, "7", b"{}")
