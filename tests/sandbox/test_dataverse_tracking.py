"""Change tracking of the simulated Web API: delta links, deleted rows, pages, refusals and expiry."""

from __future__ import annotations

import pytest

from tests.sandbox.dataverse_fixture import JSON, Crm

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("dataverse")]


def follow(crm: Crm, path: str, page_size: int = 5000) -> tuple[list[JSON], str]:
    """All rows of a tracked read, and the path of its delta link."""
    rows: list[JSON] = []
    while True:
        page = crm.get(path, Prefer=f"odata.track-changes,odata.maxpagesize={page_size}")
        rows += page["value"]
        link: str = page.get("@odata.nextLink") or page["@odata.deltaLink"]
        path = link.removeprefix(f"{crm.layout.dataverse_url}/api/data/v9.2")
        if "@odata.deltaLink" in page:
            return rows, path


def test_a_delta_has_what_changed_once_and_what_was_deleted(crm: Crm) -> None:
    kept, gone = crm.opportunity(name="Kept"), crm.opportunity(name="Gone")
    rows, delta = follow(crm, "/opportunities?$select=name")
    assert {row["opportunityid"] for row in rows} == {kept, gone}
    assert follow(crm, delta)[0] == []
    for name in ("Once", "Twice"):
        crm.seller("PATCH", f"/opportunities({kept})", {"name": name})
    crm.seller("DELETE", f"/opportunities({gone})")
    new = crm.opportunity("seller", name="New")
    crm.create("accounts", name="of another table")
    rows, later = follow(crm, delta)
    changed = {row["opportunityid"]: row["name"] for row in rows if "name" in row}
    assert changed == {kept: "Twice", new: "New"}
    (deleted,) = [row for row in rows if row.get("reason") == "deleted"]
    assert deleted["id"] == gone
    assert deleted["@odata.context"].endswith("#opportunities/$deletedEntity")
    assert follow(crm, later)[0] == []
    assert follow(crm, delta)[0] == rows, "an older link can be followed again"


def test_pages_of_the_first_read_and_of_a_delta(crm: Crm) -> None:
    ids = {crm.opportunity(name=f"Deal {number}") for number in range(5)}
    first = crm.get("/opportunities?$select=name", Prefer="odata.track-changes,odata.maxpagesize=2")
    assert len(first["value"]) == 2
    assert "@odata.deltaLink" not in first
    meanwhile = crm.opportunity(name="Meanwhile")
    path = first["@odata.nextLink"].removeprefix(f"{crm.layout.dataverse_url}/api/data/v9.2")
    rest, delta = follow(crm, path, page_size=2)
    assert {row["opportunityid"] for row in [*first["value"], *rest]} == ids
    late, delta = follow(crm, delta, page_size=2)
    assert [row["opportunityid"] for row in late] == [meanwhile]
    for row_id in ids:
        crm.api("PATCH", f"/opportunities({row_id})", {"name": "x"})
    rows, _ = follow(crm, delta, page_size=2)
    assert {row["opportunityid"] for row in rows} == ids


@pytest.mark.parametrize("option", ["$filter=name eq 'x'", "$orderby=name", "$top=1", "$expand=parentaccountid"])
def test_options_that_tracking_refuses(crm: Crm, option: str) -> None:
    answer = crm.api("GET", f"/opportunities?{option}", Prefer="odata.track-changes")
    assert crm.refused(answer) == (400, "0x80060888")
    name = option[1:].partition("=")[0]
    sentence = f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.'
    assert answer.json()["error"]["message"] == sentence


def test_a_token_expires_after_a_week_and_nonsense_is_no_token(crm: Crm) -> None:
    _, delta = follow(crm, "/opportunities?$select=name")
    crm.sim("POST", "/clock", {"advance_s": 6 * 86_400})
    assert crm.api("GET", delta).status_code == 200
    crm.sim("POST", "/clock", {"advance_s": 2 * 86_400})
    assert crm.api("GET", delta).status_code == 400
    assert crm.api("GET", "/opportunities?$deltatoken=nonsense").status_code == 400
