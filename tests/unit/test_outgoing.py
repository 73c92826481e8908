"""Documents for Partner Center: both bodies of a new deal against the vendor's contract, and the patch of a change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from shared.domain.mapping import PATCHABLE
from shared.domain.opportunity import Opportunity
from shared.domain.outgoing import microsoft_body, own_body
from tests.unit import pairs

CONTRACT = Path(__file__).resolve().parents[3] / "shared" / "contracts" / "partner-center-referrals.swagger.json"
"""Microsoft's file is not copied into the project; it may stand beside the checkout."""
needs_contract = pytest.mark.skipif(
    not CONTRACT.is_file(), reason=f"Microsoft's OpenAPI file is not there: {CONTRACT.name} beside the checkout"
)
_NAMES = "Microsoft.Partner.Service.PartnerReferrals.Contracts.V3"


def _schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CONTRACT.read_text(encoding="utf-8"))["definitions"][f"{_NAMES}.{name}"]
    return found


def _strict(schema: Any) -> Any:
    """The contract, refusing members it does not name."""
    if isinstance(schema, dict):
        strict = {key: _strict(value) for key, value in schema.items()}
        return {**strict, "additionalProperties": False} if "properties" in schema else strict
    return [_strict(item) for item in schema] if isinstance(schema, list) else schema


def _wire(body: Any) -> Any:
    """As the client sends it: decimals as numbers."""
    return json.loads(json.dumps(body, default=float))


def _check(body: dict[str, Any]) -> None:
    schema = _strict(_schema("Referral"))
    # The contract misdescribes additionalRequirements (an object of attributes, as every published example shows) and
    # omits `title`, which the documentation's member has.
    requirements = schema["properties"]["details"]["properties"]["requirements"]["properties"]
    requirements["additionalRequirements"] = {"type": "object"}
    for people in (schema["properties"]["team"], schema["properties"]["customerProfile"]["properties"]["team"]):
        people["items"]["properties"]["title"] = {"type": "string"}
    jsonschema.Draft4Validator(schema).validate(_wire(body))


FULL: dict[str, Any] = {
    "cosell_solutionarea": "AI Business Solutions", "cosell_solutionplay": "Sales play",
    "cosell_partnerrole": "Advisor",
    "salesstage": 2,
}  # fmt: skip
CASES = {
    "co-sell": pairs.opportunity(FULL),
    "private": pairs.opportunity(
        {"cosell_howcanmicrosofthelp": None, "cosell_referralvisibility": None, "cosell_notestomicrosoft": None}
    ),
    "partner-led": pairs.opportunity({"cosell_howcanmicrosofthelp": None}),
    "bare": pairs.opportunity(
        {"description": None, "salesstage": None, "cosell_campaigncode": None, "cosell_purchaseintent": None,
         "cosell_howcanmicrosofthelp": None},
        account={"name": "Contoso"}, contact=None, owner=None,
    ),
    "two solutions": pairs.opportunity(solutions={"Dynamics365forSales": "", "SOL-2": "Two"}),
    "emoji": pairs.opportunity({"name": "✔ 🌕 ²ø", "description": "🌕" * 900}),
}  # fmt: skip


@needs_contract
@pytest.mark.parametrize("profile", ["extended", "parity"])
@pytest.mark.parametrize("row", CASES.values(), ids=CASES.keys())
def test_both_bodies_keep_the_vendors_contract(row: Opportunity, profile: str) -> None:
    known = pairs.terms(profile=profile, partner_id="4862210")
    _check(own_body(row, known))
    _check(microsoft_body(row, pairs.referral(), known))


@needs_contract
def test_the_list_of_patchable_paths_is_the_vendors() -> None:
    paths = _schema("UpdateReferralDetails")["items"]["properties"]["path"]["enum"]
    assert {path for path in paths if not path.endswith("/-")} == {
        "/" + path.replace(".", "/") for path in PATCHABLE - {"name"}
    }


# -- the two bodies ----------------------------------------------------------------------------------------------------
def test_the_own_body() -> None:
    body = own_body(CASES["co-sell"], pairs.terms(partner_id="4862210"))
    assert _wire(body) == {
        "name": "Cold-chain analytics rollout",
        "externalReferenceId": pairs.OPPORTUNITY_ID,
        "type": "Shared",
        "qualification": "SalesQualified",
        "status": "New",
        "substatus": "Pending",
        "mpnId": "4862210",
        "campaignId": "SPRING-26",
        "salesStage": "Propose",
        "target": [{"type": "SolutionProfile", "id": "SOL-70412-KQX"}],
        "customerProfile": {
            "name": "Northgate Foods AS",
            "size": "251to1000employees",
            "address": {"addressLine1": "Havnegata 12", "city": "Bergen", "postalCode": "5003", "country": "NO"},
            "team": [
                {"firstName": "Ingrid", "lastName": "Solberg", "email": "ingrid.solberg@northgate.example",
                 "phoneNumber": "+47 55 01 02 03", "title": "Head of Logistics"}
            ],
            "ids": [
                {"profileType": "Duns", "id": "731204988"}, {"profileType": "External", "id": "account-id"},
            ],
        },
        "consent": {
            "consentToContact": True,
            "consentToToShareInfoWithOthers": True,
            "consentToShareReferralWithMicrosoftSellers": True,
        },
        "details": {
            "notes": "Pilot in two warehouses first.",
            "dealValue": 84500.5,
            "currency": "NOK",
            "closingDateTime": "2026-06-30T00:00:00Z",
            "requirements": {
                "solutions": [{"id": "SOL-70412-KQX", "name": "ColdTrack", "type": "Name"}],
                "additionalRequirements": {
                    "attributes": [
                        {"type": "CustomerMarketplaceIntent", "id": "HaveNotDecided"},
                        {"type": "SolutionArea", "id": "AI Business Solutions"},
                        {"type": "SolutionPlay", "id": "Sales play"},
                        {"type": "PartnerRole", "id": "Advisor"},
                    ]
                },
            },
        },
        "team": [
            {"firstName": "Aksel", "lastName": "Dahl", "email": "aksel.dahl@fjordvik.example",
             "phoneNumber": "+47 90 00 11 22"}
        ],
        "inviteContext": {
            "assistanceRequestCode": "ProofOfConceptOrDemo", "notes": "Please join the first workshop.",
        },
    }  # fmt: skip


def test_microsofts_body_is_the_same_deal_for_another_reader() -> None:
    known, row = pairs.terms(partner_id="4862210"), CASES["co-sell"]
    own, microsofts = own_body(row, known), microsoft_body(row, pairs.referral(), known)
    assert microsofts.pop("engagementId") == pairs.ENGAGEMENT_ID
    assert microsofts.pop("target") == [{"type": "BusinessProfileLocation", "id": "msft"}]
    assert microsofts["inviteContext"].pop("invitedBy") == {"organizationId": pairs.ORGANIZATION_ID}
    for member in ("externalReferenceId", "mpnId", "target"):
        own.pop(member)
    assert microsofts == own


def test_microsofts_body_without_knowing_our_organisation() -> None:
    row = pairs.opportunity({"cosell_howcanmicrosofthelp": None, "cosell_notestomicrosoft": None})
    assert "inviteContext" not in microsoft_body(row, pairs.referral({"organizationId": None}), pairs.terms())
    made = microsoft_body(row, pairs.referral(), pairs.terms())
    assert made["inviteContext"] == {"invitedBy": {"organizationId": pairs.ORGANIZATION_ID}}


@pytest.mark.parametrize(
    ("visibility", "help_", "shared"),
    [(None, None, False), (100000000, None, False), (100000001, None, True), (None, 100000001, True),
     (100000000, 100000001, True), (424242, None, False)],
)  # fmt: skip
def test_help_makes_a_deal_visible(visibility: int | None, help_: int | None, shared: bool) -> None:
    row = pairs.opportunity({"cosell_referralvisibility": visibility, "cosell_howcanmicrosofthelp": help_})
    assert own_body(row, pairs.terms())["consent"]["consentToShareReferralWithMicrosoftSellers"] is shared


def test_without_a_visibility_row_only_help_makes_it_visible() -> None:
    rows = tuple(row for row in pairs.mapping().opportunity if row.field != "visibility")
    known = pairs.terms(mapping=pairs.mapping().model_copy(update={"opportunity": rows}))
    row = pairs.opportunity({"cosell_howcanmicrosofthelp": None})
    assert own_body(row, known)["consent"]["consentToShareReferralWithMicrosoftSellers"] is False


def test_nothing_empty_is_sent() -> None:
    body = own_body(CASES["bare"], pairs.terms())
    ours = [{"profileType": "External", "id": "account-id"}]
    assert body["team"] == []
    assert body["customerProfile"] == {"name": "Contoso", "address": {}, "team": [], "ids": ours}
    nobody = own_body(pairs.opportunity(account=None), pairs.terms())["customerProfile"]
    assert (nobody["address"], nobody["ids"]) == ({}, [])
    assert "inviteContext" not in body or "assistanceRequestCode" not in body["inviteContext"]
    assert not {"salesStage", "campaignId", "mpnId"} & body.keys()
    assert "notes" not in body["details"]


def test_an_undecided_customer_is_said_to_be_undecided() -> None:
    attributes = own_body(CASES["bare"], pairs.terms())["details"]["requirements"]["additionalRequirements"][
        "attributes"
    ]
    assert attributes == [{"type": "CustomerMarketplaceIntent", "id": "HaveNotDecided"}]


def test_no_account_at_all() -> None:
    assert own_body(pairs.opportunity(account=None, contact=None), pairs.terms())["customerProfile"] == {
        "address": {}, "team": [], "ids": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("solutions", "target", "types"),
    [
        ({"Dynamics365forSales": "", "SOL-2": "Two"}, "SOL-2", {"Dynamics365forSales": "Category", "SOL-2": "Name"}),
        ({"Dynamics365forSales": ""}, "Dynamics365forSales", {"Dynamics365forSales": "Category"}),
        ({"0b6f2c18-0c3a-4011-877b-6045bd0a1e55": "App"}, "0b6f2c18-0c3a-4011-877b-6045bd0a1e55",
         {"0b6f2c18-0c3a-4011-877b-6045bd0a1e55": "Name"}),
    ],
    ids=["own first", "Microsoft's area", "a GUID"],
)  # fmt: skip
def test_solutions(solutions: dict[str, str], target: str, types: dict[str, str]) -> None:
    body = own_body(pairs.opportunity(solutions=solutions), pairs.terms())
    assert body["target"] == [{"type": "SolutionProfile", "id": target}]
    tags = body["details"]["requirements"]["solutions"]
    assert {tag["id"]: tag["type"] for tag in tags} == types
    assert all(tag["name"] for tag in tags), "an id stands in for a missing name"


@pytest.mark.parametrize(
    ("employees", "size"),
    [(None, None), (0, None), (1, "1to9employees"), (9, "1to9employees"), (10, "10to50employees"),
     (50, "10to50employees"), (51, "51to250employees"), (250, "51to250employees"), (251, "251to1000employees"),
     (1000, "251to1000employees"), (1001, "1001to5000employees"), (5001, "5001to10000employees"),
     (10000, "5001to10000employees"), (10001, "10001to20000employees"), (20000, "10001to20000employees"),
     (20001, "Morethan20000employees"), (10**9, "Morethan20000employees")],
)  # fmt: skip
def test_size_of_the_customer(employees: int | None, size: str | None) -> None:
    row = pairs.opportunity(account={"name": "Contoso", "numberofemployees": employees})
    assert own_body(row, pairs.terms())["customerProfile"].get("size") == size


@pytest.mark.parametrize(
    ("owner", "phone"),
    [({"address1_telephone1": "1", "mobilephone": "2"}, "1"), ({"mobilephone": "2"}, "2"), ({}, "3")],
)
def test_the_owners_phone(owner: dict[str, str], phone: str) -> None:
    body = own_body(pairs.opportunity(owner={"firstname": "A", **owner}), pairs.terms(default_phone="3"))
    assert body["team"] == [{"firstName": "A", "phoneNumber": phone}]
