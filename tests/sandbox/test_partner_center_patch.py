"""Changes through the simulated referrals API: JSON Patch, versions, the status matrix (behaviours S5 and S6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.partner_center_deals import create, create_co_sell, patch, read, replace
from tests.sandbox.partner_center_fixture import REFERRALS, Cloud

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("partner_center")]


# S5 -----------------------------------------------------------------------------------------------------------------
def test_patch_answers_204_or_the_representation(fresh_cloud: Cloud) -> None:
    own = create(fresh_cloud)
    plain = patch(fresh_cloud, own, replace("/details/dealValue", 91000.5), If_Match=own["eTag"])
    assert (plain.status_code, plain.content) == (204, b"")
    full = patch(fresh_cloud, own, replace("/details/notes", "Two pilots"), Prefer="return=representation")
    assert full.status_code == 200
    assert full.headers["ETag"] == full.json()["eTag"]
    assert (full.json()["details"]["dealValue"], full.json()["details"]["notes"]) == (91000.5, "Two pilots")


def test_if_match_protects_and_without_it_the_last_writer_wins(fresh_cloud: Cloud) -> None:
    own = create(fresh_cloud)
    patch(fresh_cloud, own, replace("/name", "First"))
    stale = patch(fresh_cloud, own, replace("/name", "Second"), If_Match=own["eTag"])
    assert (stale.status_code, stale.json()["error"]["code"]) == (412, "preconditionFailed")
    assert patch(fresh_cloud, own, replace("/name", "Third")).status_code == 204
    fresh_cloud.sim("PUT", "/quirks", {"conflict_status": 409})
    stale = patch(fresh_cloud, own, replace("/name", "Fourth"), If_Match=own["eTag"])
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "resourceModified")
    assert read(fresh_cloud, own)["name"] == "Third"


def test_a_batch_is_all_or_nothing(fresh_cloud: Cloud) -> None:
    own = create(fresh_cloud)
    answer = patch(fresh_cloud, own, replace("/name", "Changed"), replace("/mpnId", "1"))
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, "/mpnId")
    assert read(fresh_cloud, own) == own


def test_lists_are_replaced_and_appended(fresh_cloud: Cloud) -> None:
    own = create(fresh_cloud)
    maja = {"firstName": "Maja", "lastName": "Lien", "email": "maja@fjordvik.example", "phoneNumber": "+47 90 00 33 44"}
    solution = {"id": "Containers", "name": "Containers", "type": "Category"}
    patch(
        fresh_cloud,
        own,
        {"op": "add", "path": "/team/-", "value": maja},
        replace("/customerProfile/team", [maja]),
        {"op": "add", "path": "/details/requirements/solutions/-", "value": solution},
        {"op": "add", "path": "/externalReferenceId", "value": "crm-1"},
    )
    now = read(fresh_cloud, own)
    assert [member["firstName"] for member in now["team"]] == ["Aksel", "Maja"]
    assert [member["firstName"] for member in now["customerProfile"]["team"]] == ["Maja"]
    assert [one["id"] for one in now["details"]["requirements"]["solutions"]] == ["SOL-70412-KQX", "Containers"]
    assert now["externalReferenceId"] == "crm-1"


# S6 -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "operations",
    [
        {"op": "replace", "path": "/name", "value": "not a list"},
        [],
        ["replace"],
        [{"op": "remove", "path": "/name"}],
        [{"op": "test", "path": "/name", "value": "x"}],
        [{"op": "replace", "path": "/name"}],
        [{"op": "replace", "path": "name", "value": "x"}],
        [replace("/engagementId", "x")],
        [replace("/trackingInfo/microsoftMsxId", "x")],
        [replace("/customerProfile/name", "x")],
        [replace("/team/-", {"firstName": "x"})],
        [replace("/team", None)],
        [{"op": "add", "path": "/team/-", "value": "x"}],
        [{"op": "add", "path": "/name/-", "value": "x"}],
        [replace("/registrations/0/contract/value", 5)],
        [replace("/details/dealValue", True)],
        [replace("/details/dealValue", "much")],
        [replace("/details/closingDateTime", 5)],
        [replace("/details/notes", {"a": 1})],
        [replace("/status", "Won")],
        [replace("/status", "Closed")],
        [replace("/substatus", "Pending")],
        [replace("/status", "New"), replace("/substatus", "Pending")],
        [replace("/status", "Closed"), replace("/substatus", "Expired")],
        [replace("/status", "Closed"), replace("/substatus", "Lost")],
        [replace("/consent/consentToShareReferralWithMicrosoftSellers", False)],
    ],
)
def test_patches_that_are_refused(fresh_cloud: Cloud, operations: Any) -> None:
    own = create(fresh_cloud)
    answer = fresh_cloud.api("PATCH", f"{REFERRALS}/{own['id']}", operations)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalidRequest")
    assert read(fresh_cloud, own) == own


def test_a_numeric_string_is_a_number(fresh_cloud: Cloud) -> None:
    own = create(fresh_cloud)
    assert patch(fresh_cloud, own, replace("/details/dealValue", "91000")).status_code == 204
    assert read(fresh_cloud, own)["details"]["dealValue"] == 91000


PAIRS = [
    ("New", "Pending"),
    ("New", "Received"),
    ("Active", "Accepted"),
    ("Closed", "Won"),
    ("Closed", "Lost"),
    ("Closed", "Declined"),
    ("Closed", "Expired"),
]
ALLOWED = {
    ("Pending", "Pending"),
    ("Pending", "Received"),
    ("Received", "Pending"),
    ("Received", "Received"),
    ("Accepted", "Accepted"),
    *((start, end) for start in ("Pending", "Received") for end in ("Accepted", "Won", "Lost", "Declined")),
    *(("Accepted", end) for end in ("Won", "Lost", "Declined")),
}


@pytest.mark.parametrize("start", PAIRS[:3])
def test_the_status_matrix(fresh_cloud: Cloud, start: tuple[str, str]) -> None:
    """Every pair from every open pair, and from the closed ones nothing any more."""
    for end in PAIRS:
        status, substatus = start
        own = fresh_cloud.sim("POST", "/inbound", {"kind": "partner", "status": status, "substatus": substatus})
        moves = [replace("/status", end[0]), replace("/substatus", end[1]), replace("/statusReason", "Because")]
        answer = patch(fresh_cloud, own, *moves)
        expected = 204 if (substatus, end[1]) in ALLOWED else 400
        assert answer.status_code == expected, (start, end, answer.text)
        now = read(fresh_cloud, own)
        assert (now["status"], now["substatus"]) == (end if expected == 204 else start)
        assert bool(now["closedDateTime"]) == (now["status"] == "Closed")
        if now["status"] == "Closed":
            for further in (replace("/name", "x"), replace("/statusReason", "Other")):
                assert patch(fresh_cloud, own, further).status_code == 400
            unchanged = patch(fresh_cloud, own, replace("/substatus", end[1]), Prefer="return=representation")
            assert unchanged.json()["eTag"] == now["eTag"]


def test_a_won_deal_can_be_registered(fresh_cloud: Cloud) -> None:
    own = create(fresh_cloud)
    register = {"op": "add", "path": "/registrations/-", "value": {"type": "AzureIPCoSell", "contract": {"value": 5}}}
    assert patch(fresh_cloud, own, register).status_code == 400
    patch(fresh_cloud, own, replace("/status", "Closed"), replace("/substatus", "Won"))
    assert patch(fresh_cloud, own, register).status_code == 204
    assert patch(fresh_cloud, own, replace("/registrations/0/contract/value", 7)).status_code == 204
    now = read(fresh_cloud, own)
    assert (now["registrationStatus"], now["registrations"][0]["contract"]["value"]) == ("ReviewPending", 7)


def test_what_is_not_ours_cannot_be_changed(fresh_cloud: Cloud) -> None:
    _, theirs = create_co_sell(fresh_cloud)
    answer = patch(fresh_cloud, theirs, replace("/name", "x"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "accessDenied")
    missing = {"id": "00000000-0000-0000-0000-000000000001"}
    answer = patch(fresh_cloud, missing, replace("/name", "x"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "itemNotFound")
    assert fresh_cloud.api("GET", f"{REFERRALS}/{missing['id']}").status_code == 404
    assert fresh_cloud.api("PUT", f"{REFERRALS}/{theirs['id']}", {}).status_code == 405
    assert fresh_cloud.api("DELETE", f"{REFERRALS}/{theirs['id']}").status_code == 405
