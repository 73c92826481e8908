"""`$batch` of the simulated Web API: order, change sets, references, errors and limits."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests

from tests.sandbox.dataverse_fixture import API, Crm

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("dataverse")]


def part(method: str, path: str, body: Any = None, content_id: str | None = None, **headers: str) -> str:
    """One operation as MIME."""
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    lines += [f"Content-ID: {content_id}"] if content_id else []
    sent = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines += ["", f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), ""]
    return "\r\n".join([*lines, json.dumps(body) if body is not None else ""])


def change_set(*parts: str) -> str:
    inner = "".join(f"--changeset_1\r\n{item}\r\n" for item in parts)
    return f'Content-Type: multipart/mixed; boundary="changeset_1"\r\n\r\n{inner}--changeset_1--\r\n'


def send(crm: Crm, *parts: str, prefer: str = "") -> requests.Response:
    body = "".join(f"--batch_1\r\n{item}\r\n" for item in parts) + "--batch_1--\r\n"
    headers = {"Authorization": f"Bearer {crm.token}", "Content-Type": 'multipart/mixed; boundary="batch_1"'}
    headers |= {"Prefer": prefer} if prefer else {}
    address = f"{crm.layout.dataverse_url}{API}/$batch"
    return crm.session.post(address, data=body.encode(), headers=headers, timeout=20)


def statuses(answer: requests.Response) -> list[int]:
    assert answer.headers["Content-Type"].startswith("multipart/mixed; boundary=batchresponse_")
    return [int(status) for status in re.findall(r"HTTP/1\.1 (\d{3})", answer.text)]


def test_a_change_set_creates_linked_rows_and_a_get_sees_them(crm: Crm) -> None:
    answer = send(
        crm,
        change_set(
            part("POST", f"{API}/accounts?tag=cosell-sync", {"name": "Fabrikam"}, "1"),
            part("POST", f"{API}/opportunities", {"name": "Deal", "customerid_account@odata.bind": "$1"}, "2"),
            part("PATCH", "$2", {"description": "Added"}, "3", If_Match="*"),
        ),
        part("GET", f"{API}/opportunities?$select=name,description&$expand=parentaccountid($select=name)"),
    )
    assert answer.status_code == 200
    assert statuses(answer) == [204, 204, 204, 200]
    assert [f"Content-ID: {number}" in answer.text for number in (1, 2, 3)] == [True, True, True]
    (row,) = crm.get("/opportunities?$select=name,description&$expand=parentaccountid($select=name)")["value"]
    assert (row["description"], row["parentaccountid"]["name"]) == ("Added", "Fabrikam")
    assert '"description": "Added"' in answer.text


@pytest.mark.usefixtures("empty_queues")
def test_a_change_set_is_all_or_nothing_messages_included(crm: Crm) -> None:
    answer = send(
        crm,
        change_set(
            part("POST", f"{API}/opportunities", {"name": "Deal"}, "1"),
            part("POST", f"{API}/opportunities", {"nothere": 1}, "2"),
        ),
    )
    assert answer.status_code == 400
    assert statuses(answer) == [400]
    assert "0x80048d19" in answer.text
    assert crm.get("/opportunities")["value"] == []
    assert crm.contexts() == []


def test_the_first_failure_ends_the_batch_unless_told_otherwise(crm: Crm) -> None:
    parts = [part("GET", f"{API}/WhoAmI"), part("GET", f"{API}/nothere"), part("GET", f"{API}/WhoAmI")]
    stopped = send(crm, *parts)
    assert (stopped.status_code, statuses(stopped)) == (404, [200, 404])
    went_on = send(crm, *parts, prefer="odata.continue-on-error")
    assert (went_on.status_code, statuses(went_on)) == (200, [200, 404, 200])


@pytest.mark.parametrize(
    ("inner", "sentence"),
    [
        (change_set(part("GET", f"{API}/WhoAmI", None, "1")), "must not contain GET"),
        (change_set(part("POST", f"{API}/accounts", {"name": "x"})), "Content-ID"),
        (
            change_set(part("POST", f"{API}/opportunities", {"customerid_account@odata.bind": "$1"}, "2")),
            "Content-ID Reference: '$1' does not exist in the batch context.",
        ),
    ],
)
def test_malformed_change_sets(crm: Crm, inner: str, sentence: str) -> None:
    answer = send(crm, inner)
    assert (answer.status_code, statuses(answer)) == (400, [400])
    assert sentence in answer.text


def test_a_batch_that_cannot_be_read_is_answered_in_json(crm: Crm) -> None:
    headers = {"Authorization": f"Bearer {crm.token}", "Content-Type": "multipart/mixed; boundary=x"}
    address = f"{crm.layout.dataverse_url}{API}/$batch"
    answer = crm.session.post(address, data=b"--x\r\nnonsense", headers=headers, timeout=10)
    assert crm.refused(answer) == (400, "0x80060888")
    many = send(crm, *[part("GET", f"{API}/WhoAmI")] * 1001)
    assert crm.refused(many) == (400, "0x80060888")


def test_every_part_counts_towards_the_limit(crm: Crm) -> None:
    crm.sim("PUT", "/switches", {"requests_per_window": 2})
    crm.sim("POST", "/clock", {"advance_s": 301})
    answer = send(crm, *[part("GET", f"{API}/WhoAmI")] * 3)
    assert (answer.status_code, statuses(answer)) == (429, [200, 200, 429])
    assert "Retry-After" in answer.text
