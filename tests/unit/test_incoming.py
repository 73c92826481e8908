"""Records for Dynamics 365: columns of a new opportunity and of a change, leads, accounts, contacts, identifiers."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.domain import amounts, incoming
from shared.domain.plan import merge
from shared.domain.row import Lookup
from shared.domain.state import SyncState
from shared.domain.terms import Terms
from tests.unit import pairs


def _opportunity(changes: dict[str, Any] | None = None, known: Terms | None = None) -> dict[str, Any]:
    known = known or pairs.terms()
    return incoming.mapped(pairs.referral(changes), known.mapping.opportunity, known)


NOK = Lookup("transactioncurrency", pairs.CURRENCIES["NOK"].id)


def test_a_new_opportunity() -> None:
    assert _opportunity({"expirationDateTime": "2026-03-16T00:00:00Z"}) == {
        "name": "Cold-chain analytics rollout",
        "estimatedvalue": Decimal("84500.50"),
        "isrevenuesystemcalculated": False,
        "transactioncurrencyid": NOK,
        "estimatedclosedate": date(2026, 6, 30),
        "description": "Pilot in two warehouses first.",
        "salesstage": 0,
        "stepname": "1-Qualify",
        "closeprobability": 20,
        "cosell_referralvisibility": 100000001,
        "cosell_howcanmicrosofthelp": 100000003,
        "cosell_notestomicrosoft": "Please join the first workshop.",
        "cosell_campaigncode": "SPRING-26",
        "cosell_purchaseintent": 100000003,
        "cosell_respondby": datetime(2026, 3, 16, tzinfo=UTC),
        "opportunityratingcode": 1,
    }


def test_what_partner_center_does_not_say_is_not_written() -> None:
    found = _opportunity({"details": None, "salesStage": None, "inviteContext": None, "campaignId": None})
    assert found == {
        "name": "Cold-chain analytics rollout", "cosell_referralvisibility": 100000001, "opportunityratingcode": 1,
    }  # fmt: skip


def test_another_column_for_the_deal_value_leaves_revenue_alone() -> None:
    rows = tuple(
        row.model_copy(update={"column": "new_tcv"}) if row.field == "deal_value" else row
        for row in pairs.mapping().opportunity
    )
    found = _opportunity(known=pairs.terms(mapping=pairs.mapping().model_copy(update={"opportunity": rows})))
    assert found["new_tcv"] == Decimal("84500.50")
    assert not {"estimatedvalue", "isrevenuesystemcalculated"} & found.keys()


@pytest.mark.parametrize(
    ("code", "known"), [("NOK", True), ("nok", True), (None, True), ("", True), ("XTS", False)], ids=str
)
def test_an_amount_in_an_unknown_currency_is_left_out(code: str | None, known: bool) -> None:
    changes = {"details.currency": code}
    assert (amounts.foreign(pairs.referral(changes), pairs.terms()) is None) is known
    assert ("estimatedvalue" in _opportunity(changes)) is known
    assert "description" in _opportunity(changes)
    assert amounts.foreign(pairs.referral(changes), pairs.terms(currencies={})) is None


def test_long_texts_fit_their_columns() -> None:
    found = _opportunity({"details.notes": "word " * 3000, "name": "n" * 400, "campaignId": "c" * 200})
    assert len(found["description"]) <= 2000
    assert found["description"].endswith("[continued in a note]")
    assert len(found["name"]) == 298
    assert len(found["cosell_campaigncode"]) == 100


# -- changes -----------------------------------------------------------------------------------------------------------
def _changed(changes: dict[str, Any], known: Terms | None = None) -> dict[str, Any]:
    known = known or pairs.terms()
    base = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    found = pairs.referral(changes)
    return incoming.changed(merge(base, found, pairs.opportunity(), known).to_crm, found, known)


@pytest.mark.parametrize(
    ("changes", "columns"),
    [
        ({"details.dealValue": 5}, {"estimatedvalue": Decimal("5.00"), "isrevenuesystemcalculated": False}),
        ({"details.currency": "EUR"},
         {"transactioncurrencyid": Lookup("transactioncurrency", pairs.CURRENCIES["EUR"].id),
          "estimatedvalue": Decimal("84500.50"), "isrevenuesystemcalculated": False}),
        ({"details.closingDateTime": "2026-07-01T23:30:00Z"}, {"estimatedclosedate": date(2026, 7, 1)}),
        ({"details.notes": "Other"}, {"description": "Other"}),
        ({"details.notes": ""}, {"description": None}),
        ({"salesStage": "80"}, {"salesstage": 3, "stepname": "4-Close", "closeprobability": 80}),
        ({"expirationDateTime": "2026-04-01T00:00:00Z"}, {"cosell_respondby": datetime(2026, 4, 1, tzinfo=UTC)}),
        ({"details.requirements.solutions": [{"id": "SOL-1"}]}, {}),
        ({"name": "Other", "qualification": "Direct"}, {}),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_only_what_changed_is_written(changes: dict[str, Any], columns: dict[str, Any]) -> None:
    assert _changed(changes) == columns


def test_a_currency_row_alone() -> None:
    rows = tuple(row for row in pairs.mapping().opportunity if row.field != "deal_value")
    known = pairs.terms(mapping=pairs.mapping().model_copy(update={"opportunity": rows}))
    assert _changed({"details.currency": "EUR"}, known) == {
        "transactioncurrencyid": Lookup("transactioncurrency", pairs.CURRENCIES["EUR"].id)
    }


# -- identifiers and standing ------------------------------------------------------------------------------------------
def test_row_ids_are_the_same_every_time() -> None:
    first = incoming.row_id("opportunity", pairs.REFERRAL_ID)
    assert incoming.row_id("opportunity", pairs.REFERRAL_ID.upper()) == first
    assert str(uuid.UUID(first)) == first
    assert len({first, incoming.row_id("lead", pairs.REFERRAL_ID), incoming.row_id("opportunity", "x")}) == 3


def test_identity() -> None:
    assert incoming.identity(pairs.referral({"id": pairs.REFERRAL_ID.upper()}), pairs.terms()) == {
        "cosell_syncwithpartnercenter": True,
        "cosell_referralidentifier": pairs.REFERRAL_ID,
        "cosell_referrallink": f"https://partner.microsoft.com/dashboard/referrals/v2/deals/{pairs.REFERRAL_ID}",
        "cosell_engagementidentifier": pairs.ENGAGEMENT_ID,
    }


def test_the_link_follows_its_template() -> None:
    known = pairs.terms(link_template="https://x.example/{referralId}/edit?{other}")
    assert known.link("1") == "https://x.example/1/edit?{other}"


SHARE = "consent.consentToShareReferralWithMicrosoftSellers"


@pytest.mark.parametrize(
    ("changes", "dealtype"),
    [
        ({}, 100000002),
        ({"inviteContext.assistanceRequestCode": "Unknown"}, 100000001),
        ({"inviteContext.assistanceRequestCode": None, SHARE: False}, 100000000),
        ({"type": "Independent", "qualification": "Direct", "inviteContext": None}, None),
    ],
    ids=["co-sell", "partner-led", "private", "lead"],
)
def test_standing(changes: dict[str, Any], dealtype: int | None) -> None:
    found = incoming.standing(pairs.referral(changes), pairs.terms(), None)
    assert found.pop("cosell_referralstatus") == "Active/Accepted"
    assert found == ({"cosell_dealtype": dealtype} if dealtype else {})


def test_standing_with_microsofts_record() -> None:
    own = pairs.referral({"inviteContext": None, SHARE: False})
    lead = pairs.referral({"type": "Independent", "qualification": "Direct", "inviteContext": None})
    microsofts = pairs.referral({"organizationId": "msft"})
    for referral in (own, lead):
        assert incoming.standing(referral, pairs.terms(), microsofts)["cosell_dealtype"] == 100000002


@pytest.mark.parametrize(
    ("inviter", "option"), [("msft", 100000000), (pairs.ORGANIZATION_ID, 100000001)], ids=["inbound", "outbound"]
)
def test_direction(inviter: str, option: int) -> None:
    found = pairs.referral({"inviteContext.invitedBy": {"organizationId": inviter}})
    assert incoming.direction(found, pairs.terms()) == {"cosell_direction": option}


@pytest.mark.parametrize(
    ("status", "substatus", "words"),
    [
        ("New", "Pending", "Waiting for Microsoft"), ("New", "Received", "Waiting for Microsoft"),
        ("Active", "Accepted", "Accepted"), ("Closed", "Declined", "Declined"), ("Closed", "Expired", "No response"),
        ("Closed", "Won", "Won"), ("Closed", "Lost", "Lost"), ("Closed", "Error", "Error"),
        ("Engaged", "Maybe", "Engaged/Maybe"), ("E" * 60, None, "E" * 50),
    ],
)  # fmt: skip
def test_microsofts_answer_in_a_sellers_words(status: str, substatus: str | None, words: str) -> None:
    assert incoming.microsoft_status(pairs.referral({"status": status, "substatus": substatus})) == words


def test_microsofts_columns() -> None:
    record = pairs.referral({"id": pairs.MICROSOFTS_ID.upper(), "trackingInfo": {"microsoftMsxId": "7-ABC"}})
    assert incoming.microsoft_columns(record) == {
        "cosell_microsoftreferralidentifier": pairs.MICROSOFTS_ID,
        "cosell_microsoftstatus": "Accepted",
        "cosell_microsoftcrmidentifier": "7-ABC",
    }
    unknown = incoming.microsoft_columns(pairs.referral({"trackingInfo": None}))
    assert "cosell_microsoftcrmidentifier" not in unknown, "never blanked once it is known"


# -- leads, accounts, contacts -----------------------------------------------------------------------------------------
def test_a_lead() -> None:
    found = incoming.lead(pairs.referral({"qualification": "Direct", "customerProfile.address.region": "Vestland"}),
                          pairs.terms())  # fmt: skip
    assert found == {
        "subject": "Cold-chain analytics rollout", "companyname": "Northgate Foods AS", "firstname": "Ingrid",
        "lastname": "Solberg", "emailaddress1": "ingrid.solberg@northgate.example", "telephone1": "+47 55 01 02 03",
        "address1_line1": "Havnegata 12", "address1_city": "Bergen", "address1_stateorprovince": "Vestland",
        "address1_postalcode": "5003", "address1_country": "NO", "description": "Pilot in two warehouses first.",
        "estimatedamount": Decimal("84500.50"), "transactioncurrencyid": NOK, "estimatedclosedate": date(2026, 6, 30),
        "leadqualitycode": 3, "cosell_referralidentifier": pairs.REFERRAL_ID,
        "cosell_referrallink": pairs.terms().link(pairs.REFERRAL_ID),
    }  # fmt: skip


@pytest.mark.parametrize("profile", [None, {}, {"team": []}, {"team": [{"firstName": "Ada"}]}], ids=str)
def test_a_lead_always_has_a_last_name(profile: Any) -> None:
    assert incoming.lead(pairs.referral({"customerProfile": profile}), pairs.terms())["lastname"] == "Unknown"


def test_an_account() -> None:
    address = {"addressLine1": "a" * 300, "addressLine2": "Floor 2", "city": "c" * 90, "region": "Bavaria",
               "postalCode": "1" * 30, "country": "de"}  # fmt: skip
    found = pairs.referral({"customerProfile.name": "n" * 200, "customerProfile.address": address})
    assert incoming.account(found, pairs.terms()) == {
        "name": "n" * 160, "address1_line1": "a" * 250, "address1_line2": "Floor 2", "address1_city": "c" * 80,
        "address1_stateorprovince": "Bavaria", "address1_postalcode": "1" * 20, "address1_country": "DE",
        "numberofemployees": 251,
    }  # fmt: skip
    assert incoming.account(pairs.referral({"customerProfile": None}), pairs.terms()) == {}


@pytest.mark.parametrize(
    ("member", "columns"),
    [
        ({"firstName": " Ada ", "lastName": "L" * 60, "email": "a@b.example", "phoneNumber": "1", "title": "Head"},
         {"firstname": "Ada", "lastname": "L" * 50, "emailaddress1": "a@b.example", "telephone1": "1",
          "jobtitle": "Head"}),
        ({"email": "ada@b.example"}, {"lastname": "ada", "emailaddress1": "ada@b.example"}),
        ({"lastName": " ", "email": "x" * 64 + "@b.example"},
         {"lastname": "x" * 50, "emailaddress1": "x" * 64 + "@b.example"}),
        ({"email": "@b.example"}, {"lastname": "Unknown", "emailaddress1": "@b.example"}),
        ({}, {"lastname": "Unknown"}),
    ],
    ids=["full", "only an e-mail", "a long e-mail", "an odd e-mail", "nothing"],
)  # fmt: skip
def test_a_contact(member: dict[str, Any], columns: dict[str, Any]) -> None:
    found = pairs.referral({"customerProfile.team": [{**member, "novelty": 1}]}).customer_profile.team[0]
    assert incoming.contact(found, pairs.terms()) == columns


def test_a_new_opportunity_and_its_referral_are_in_step() -> None:
    """What creation writes is what the merge compares: nothing is left to do afterwards."""
    known = pairs.terms()
    found = pairs.referral({"inviteContext.invitedBy": {"organizationId": "msft"}})
    columns = incoming.mapped(found, known.mapping.opportunity, known)
    row = pairs.opportunity({**columns, "cosell_respondby": None})
    plan = merge(SyncState(), found, row, known)
    assert (plan.to_crm, plan.to_pc, plan.notes, plan.problems) == ((), (), (), ())


def test_the_base_of_a_record_is_what_was_written() -> None:
    known = pairs.terms()
    long = "word " * 3000
    found = pairs.referral({"details.notes": long, "campaignId": None, "details.currency": "XTS"})
    base = incoming.base(found, known.mapping.opportunity, known)
    assert base["closing_date"] == ("2026-06-30", "2026-06-30")
    pc, crm = base["notes"]
    assert pc == long.strip()
    assert isinstance(crm, str)
    assert len(crm) <= 2000
    assert not {"deal_value", "currency", "campaign_code", "customer", "solutions"} & base.keys()
