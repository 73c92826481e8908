"""Microsoft, a person in the portal, and time act on deals (behaviours S8, S9, S11 and W8); shared data follows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.partner_center_deals import create, create_co_sell, microsoft_body, read, replace
from tests.sandbox.partner_center_fixture import JSON, REFERRALS, REGISTRATION, Cloud, until

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("partner_center")]


def act(cloud: Cloud, referral: JSON, action: str, **details: Any) -> JSON:
    hook = f"/engagements/{referral['engagementId']}/microsoft"
    return dict(cloud.sim("POST", hook, {"action": action, **details}))


def raised(cloud: Cloud, since: int = 0) -> list[tuple[str, str]]:
    return [(event["name"], event["resource_id"]) for event in cloud.sim("GET", f"/events?since={since}")]


def last_event(cloud: Cloud) -> int:
    events = cloud.sim("GET", "/events")
    return int(events[-1]["n"]) if events else 0


# inbound ------------------------------------------------------------------------------------------------------------
def test_microsoft_sends_a_co_sell_deal(fresh_cloud: Cloud) -> None:
    own = fresh_cloud.sim("POST", "/inbound", {"name": "From Microsoft", "details": {"dealValue": 5}})
    assert (own["status"], own["substatus"], own["direction"]) == ("New", "Pending", "Incoming")
    assert (own["name"], own["details"]["dealValue"]) == ("From Microsoft", 5)
    assert own["inviteContext"]["invitedBy"]["organizationId"] == "msft"
    assert own["expirationDateTime"].endswith("T00:00:00Z")
    rows = fresh_cloud.api("GET", f"{REFERRALS}?$filter=engagementId eq '{own['engagementId']}'").json()["value"]
    theirs = next(row for row in rows if row["organizationId"] == "msft")
    assert (theirs["status"], theirs["substatus"]) == ("Active", "Accepted")
    assert own["trackingInfo"]["microsoftMsxId"]
    assert theirs["trackingInfo"] == own["trackingInfo"]
    assert raised(fresh_cloud) == [("referral-created", own["id"]), ("related-referral-created", theirs["id"])]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("lead", ("Independent", "MarketingQualified", "msft")),
        ("marketplace-lead", ("Independent", "Direct", "msft")),
        ("partner", ("Shared", "SalesQualified", "other")),
    ],
)
def test_other_inbound_kinds_have_no_record_of_microsoft(
    fresh_cloud: Cloud, kind: str, expected: tuple[str, str, str]
) -> None:
    own = fresh_cloud.sim("POST", "/inbound", {"kind": kind})
    inviter = own["inviteContext"]["invitedBy"]["organizationId"]
    known = inviter if inviter == "msft" else "other"
    assert (own["type"], own["qualification"], known) == expected
    assert bool(own["referralSource"]) == (kind == "marketplace-lead")
    assert raised(fresh_cloud) == [("referral-created", own["id"])]


def test_the_partner_accepts_an_inbound_deal(fresh_cloud: Cloud) -> None:
    own = fresh_cloud.sim("POST", "/inbound", {})
    accept = [replace("/status", "Active"), replace("/substatus", "Accepted"), replace("/externalReferenceId", "crm")]
    answer = fresh_cloud.api(
        "PATCH", f"{REFERRALS}/{own['id']}", accept, If_Match=own["eTag"], Prefer="return=representation"
    )
    now = answer.json()
    assert (now["status"], now["externalReferenceId"], bool(now["acceptedDateTime"])) == ("Active", "crm", True)


# Microsoft ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("actions", "status", "substatus"),
    [
        (["accept"], "Active", "Accepted"),
        (["decline"], "Closed", "Declined"),
        (["expire"], "Closed", "Expired"),
        (["accept", "win"], "Closed", "Won"),
        (["accept", "lose"], "Closed", "Lost"),
    ],
)
def test_microsoft_answers_and_our_record_stays(
    fresh_cloud: Cloud, actions: list[str], status: str, substatus: str
) -> None:
    own, theirs = create_co_sell(fresh_cloud)
    for action in actions:
        act(fresh_cloud, own, action)
    now = read(fresh_cloud, theirs)
    assert (now["status"], now["substatus"]) == (status, substatus)
    assert bool(now["closedDateTime"]) == (status == "Closed")
    assert read(fresh_cloud, own)["status"] == "Active"


@pytest.mark.parametrize(
    ("shown_on", "on_own", "on_theirs"), [("both", True, True), ("microsoft", False, True), ("own", True, False)]
)
def test_accepting_brings_microsofts_crm_id(fresh_cloud: Cloud, shown_on: str, on_own: bool, on_theirs: bool) -> None:
    fresh_cloud.sim("PUT", "/quirks", {"tracking_on": shown_on})
    own, theirs = create_co_sell(fresh_cloud)
    before = last_event(fresh_cloud)
    act(fresh_cloud, own, "accept")
    assert bool(read(fresh_cloud, own)["trackingInfo"]["microsoftMsxId"]) == on_own
    assert bool(read(fresh_cloud, theirs)["trackingInfo"]["microsoftMsxId"]) == on_theirs
    told = [("related-referral-updated", theirs["id"])] + ([("referral-updated", own["id"])] if on_own else [])
    assert raised(fresh_cloud, before) == told


def test_microsoft_cannot_do_what_the_state_forbids(fresh_cloud: Cloud) -> None:
    own, _ = create_co_sell(fresh_cloud)
    hook = f"{fresh_cloud.layout.partner_center_url}/_sim/engagements/{own['engagementId']}/microsoft"
    for action in ("win", "lose", "dance", "edit"):
        answer = fresh_cloud.session.post(hook, json={"action": action})
        assert answer.status_code == 400
        assert answer.json()["error"]
    private = create(fresh_cloud)
    hook = f"{fresh_cloud.layout.partner_center_url}/_sim/engagements/{private['engagementId']}/microsoft"
    assert fresh_cloud.session.post(hook, json={"action": "accept"}).status_code == 404


def test_after_a_refusal_microsoft_can_be_invited_again(fresh_cloud: Cloud) -> None:
    own, first = create_co_sell(fresh_cloud)
    act(fresh_cloud, own, "decline", reason="Too early")
    assert read(fresh_cloud, first)["statusReason"] == "Too early"
    assert fresh_cloud.api("POST", REFERRALS, microsoft_body(own["engagementId"])).status_code == 200
    act(fresh_cloud, own, "accept", msx_id="7-SECOND")
    assert read(fresh_cloud, own)["trackingInfo"]["microsoftMsxId"] == "7-SECOND"


def test_events_can_name_our_record_instead(fresh_cloud: Cloud) -> None:
    fresh_cloud.sim("PUT", "/quirks", {"related_event_names": "ours", "tracking_on": "microsoft"})
    own, _ = create_co_sell(fresh_cloud)
    before = last_event(fresh_cloud)
    act(fresh_cloud, own, "accept")
    assert raised(fresh_cloud, before) == [("related-referral-updated", own["id"])]


# shared data --------------------------------------------------------------------------------------------------------
def test_value_date_and_notes_follow_to_the_other_record(fresh_cloud: Cloud) -> None:
    own, theirs = create_co_sell(fresh_cloud)
    before = last_event(fresh_cloud)
    changes = [replace("/details/dealValue", 7), replace("/details/notes", "Both"), replace("/name", "Ours only")]
    fresh_cloud.api("PATCH", f"{REFERRALS}/{own['id']}", changes)
    now = read(fresh_cloud, theirs)
    assert (now["details"]["dealValue"], now["details"]["notes"], now["name"]) == (7, "Both", theirs["name"])
    assert raised(fresh_cloud, before) == [("referral-updated", own["id"]), ("related-referral-updated", theirs["id"])]
    act(fresh_cloud, own, "edit", changes={"details": {"closingDateTime": "2027-12-31T00:00:00Z"}})
    assert read(fresh_cloud, own)["details"]["closingDateTime"] == "2027-12-31T00:00:00Z"
    fresh_cloud.api("PATCH", f"{REFERRALS}/{own['id']}", [replace("/campaignId", "not shared")])
    assert raised(fresh_cloud)[-1] == ("referral-updated", own["id"])


def test_shared_data_can_stay_where_it_is(fresh_cloud: Cloud) -> None:
    fresh_cloud.sim("PUT", "/quirks", {"propagate_shared_data": False})
    own, theirs = create_co_sell(fresh_cloud)
    fresh_cloud.api("PATCH", f"{REFERRALS}/{own['id']}", [replace("/details/dealValue", 7)])
    assert read(fresh_cloud, theirs) == theirs


def test_a_closed_record_keeps_its_data(fresh_cloud: Cloud) -> None:
    own, theirs = create_co_sell(fresh_cloud)
    act(fresh_cloud, own, "decline")
    fresh_cloud.api("PATCH", f"{REFERRALS}/{own['id']}", [replace("/details/dealValue", 7)])
    assert read(fresh_cloud, theirs)["details"]["dealValue"] == theirs["details"]["dealValue"]


# portal -------------------------------------------------------------------------------------------------------------
def test_a_person_creates_a_deal_in_the_portal(fresh_cloud: Cloud) -> None:
    private = fresh_cloud.sim("POST", "/referrals", {"name": "By hand"})
    assert (private["name"], private["status"], private["externalReferenceId"]) == ("By hand", "Active", None)
    assert private["lastModifiedVia"] != fresh_cloud.layout.app_client_id
    shared = fresh_cloud.sim("POST", "/referrals", {"inviteContext": {"assistanceRequestCode": "QuotesOrLicensing"}})
    names = [name for name, _ in raised(fresh_cloud)]
    assert names == ["referral-created", "referral-created", "related-referral-created"]
    act(fresh_cloud, shared, "accept")


def test_a_person_edits_what_the_api_cannot(fresh_cloud: Cloud) -> None:
    own = create(fresh_cloud)
    before = last_event(fresh_cloud)
    changes = {
        "name": "Renamed",
        "customerProfile": {"address": {"city": "Bodø"}},
        "team": [{"firstName": "Maja", "lastName": "Lien", "email": "maja@fjordvik.example", "phoneNumber": "1"}],
    }
    fresh_cloud.sim("PATCH", f"/referrals/{own['id']}", changes)
    now = read(fresh_cloud, own)
    assert (now["name"], now["customerProfile"]["address"]["city"]) == ("Renamed", "Bodø")
    assert now["customerProfile"]["address"]["addressLine1"] == "Kaiveien 4"
    assert now["customerProfile"]["isMatchingComplete"] is False
    assert [member["email"] for member in now["team"]] == ["maja@fjordvik.example"]
    assert now["eTag"] != own["eTag"]
    assert raised(fresh_cloud, before) == [("referral-updated", own["id"])]
    fresh_cloud.sim("PATCH", f"/referrals/{own['id']}", {"status": "Closed", "substatus": "Won"})
    answer = fresh_cloud.session.patch(
        f"{fresh_cloud.layout.partner_center_url}/_sim/referrals/{own['id']}", json={"name": "Too late"}
    )
    assert (answer.status_code, answer.json()) == (400, {"error": "The referral is closed and cannot be changed."})


def test_a_date_picked_in_the_portal_is_midnight_there(fresh_cloud: Cloud) -> None:
    own = create(fresh_cloud)
    day = {"details": {"closingDateTime": "2027-06-30"}}
    fresh_cloud.sim("PATCH", f"/referrals/{own['id']}", day)
    assert read(fresh_cloud, own)["details"]["closingDateTime"] == "2027-06-30T00:00:00Z"
    fresh_cloud.sim("PUT", "/quirks", {"portal_utc_offset_h": 2})
    fresh_cloud.sim("PATCH", f"/referrals/{own['id']}", day)
    assert read(fresh_cloud, own)["details"]["closingDateTime"] == "2027-06-29T22:00:00Z"


# time ---------------------------------------------------------------------------------------------------------------
def test_what_nobody_answers_expires_after_fourteen_days(fresh_cloud: Cloud) -> None:
    own, theirs = create_co_sell(fresh_cloud)
    inbound = fresh_cloud.sim("POST", "/inbound", {"kind": "lead"})
    fresh_cloud.sim("POST", "/clock", {"advance_s": 12 * 86_400})
    assert read(fresh_cloud, inbound)["status"] == "New"
    before = last_event(fresh_cloud)
    fresh_cloud.sim("POST", "/clock", {"advance_s": 2 * 86_400})
    until(lambda: len(raised(fresh_cloud, before)) == 2)
    assert set(raised(fresh_cloud, before)) == {
        ("related-referral-updated", theirs["id"]),
        ("referral-updated", inbound["id"]),
    }
    assert (read(fresh_cloud, inbound)["substatus"], read(fresh_cloud, own)["status"]) == ("Expired", "Active")


def test_tokens_expire_by_the_clock(fresh_cloud: Cloud) -> None:
    token = {"expires_in_s": 3600}
    assert fresh_cloud.api("GET", REFERRALS, token=token).status_code == 200
    fresh_cloud.sim("POST", "/clock", {"advance_s": 3601})
    assert fresh_cloud.api("GET", REFERRALS, token=token).status_code == 401
    assert fresh_cloud.api("GET", f"{REGISTRATION}/events", token=token).status_code == 401


# quirks of form -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("quirks", "path", "expected"),
    [
        ({"region_for_state": True}, "customerProfile/address/region", "Vestland"),
        ({"region_for_state": True}, "customerProfile/address/state", None),
        ({"ids_as_object": True}, "customerProfile/ids", {}),
        ({"always_incoming": True}, "direction", "Incoming"),
        ({"hide_last_modified_via": True}, "lastModifiedVia", None),
        ({"empty_as": "missing"}, "statusReason", "absent"),
        ({"empty_as": "blank"}, "statusReason", ""),
        ({"empty_as": "blank"}, "closedDateTime", "absent"),
        ({"pascal_case_consent": True}, "consent/ConsentToShareCustomerContactLater", None),
        ({"pascal_case_consent": True}, "consent/consentToShareCustomerContactLater", "absent"),
        ({"unknown_extras": True}, "quality", "Splendid"),
        ({"unknown_extras": True}, "businessProcess/stage", 3),
    ],
)
def test_quirks_of_form(fresh_cloud: Cloud, quirks: JSON, path: str, expected: Any) -> None:
    own = create(fresh_cloud, customerProfile={"address": {"state": "Vestland"}})
    fresh_cloud.sim("PUT", "/quirks", quirks)
    address = f"{fresh_cloud.layout.partner_center_url}{REFERRALS}/{own['id']}"
    headers = {"Authorization": f"Bearer {fresh_cloud.token()}"}
    value: Any = fresh_cloud.session.get(address, headers=headers).json()
    for name in path.split("/"):
        value = value.get(name, "absent")
    assert value == expected


def test_unknown_quirks_are_refused_with_a_sentence(fresh_cloud: Cloud) -> None:
    answer = fresh_cloud.session.put(f"{fresh_cloud.layout.partner_center_url}/_sim/quirks", json={"humour": "dry"})
    assert answer.status_code == 400
    assert "humour" in answer.json()["error"]
