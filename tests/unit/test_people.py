"""The people of a deal after its creation: who travels, who stays, and that nobody is named where it is noted."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain import people
from shared.domain.opportunity import Opportunity
from shared.domain.outgoing import operations, own_body
from shared.domain.plan import Plan, merge
from shared.domain.referral import Member, Referral
from shared.domain.state import SyncState
from shared.domain.terms import Terms
from tests.unit import pairs

COLLEAGUE = {
    "firstName": "Mia", "lastName": "Ek", "email": "mia.ek@fjordvik.example", "phoneNumber": "+47 90 00 00 01",
    "contactPreference": {"locale": "nb-no", "disableNotifications": True},
}  # fmt: skip
OURS = pairs.DOCUMENT["team"][0]
SUCCESSOR = {
    "firstname": "Runa", "lastname": "Vik", "internalemailaddress": "Runa.Vik@fjordvik.example",
    "address1_telephone1": "+47 90 00 33 44",
}  # fmt: skip
OTHER_CONTACT = {
    "firstname": "Lars", "lastname": "Moe", "emailaddress1": "lars.moe@northgate.example", "telephone1": "+47 55 09",
}  # fmt: skip
PRIVATE: dict[str, Any] = {"consent.consentToShareReferralWithMicrosoftSellers": False}
NOT_INVITED: dict[str, Any] = {"cosell_microsoftreferralidentifier": None}


def _state(found: Referral, row: Opportunity, known: Terms) -> SyncState:
    return pairs.in_step(found, row, known)


def _sent(plan: Plan, found: Referral, row: Opportunity, known: Terms) -> dict[str, Any]:
    return {path: value for _, path, value in operations(plan.to_pc, row, known, found)}


def _codes(plan: Plan) -> list[str]:
    return [note.code for note in plan.notes]


def _owner_changes(
    listed: list[dict[str, Any]], owner: dict[str, Any] | None, profile: str = "extended"
) -> tuple[Plan, dict[str, Any]]:
    """The deal goes to another owner while Partner Center lists these members."""
    known, found = pairs.terms(profile=profile), pairs.referral({"team": listed})
    state, row = _state(found, pairs.opportunity(), known), pairs.opportunity(owner=owner)
    plan = merge(state, found, row, known)
    return plan, _sent(plan, found, row, known)


# -- the partner's team ------------------------------------------------------------------------------------------------
def test_another_owner_takes_the_place_of_the_last_one_and_colleagues_stay() -> None:
    plan, sent = _owner_changes([COLLEAGUE, OURS], SUCCESSOR)
    successor = {"firstName": "Runa", "lastName": "Vik", "email": "Runa.Vik@fjordvik.example"}
    assert sent == {"/team": [COLLEAGUE, {**successor, "phoneNumber": "+47 90 00 33 44"}]}
    assert not plan.to_crm
    assert not plan.notes


def test_a_new_phone_of_the_owner_is_sent_and_what_only_partner_center_knows_is_kept() -> None:
    listed = {**OURS, "email": "AKSEL.DAHL@fjordvik.example", "contactPreference": {"locale": "nb-no"}}
    _, sent = _owner_changes([listed], {**pairs.OWNER, "mobilephone": "+47 1"})
    assert sent == {"/team": [{**OURS, "phoneNumber": "+47 1", "contactPreference": {"locale": "nb-no"}}]}


def test_an_owner_who_is_in_the_team_already_is_there_once() -> None:
    owner = {**SUCCESSOR, "internalemailaddress": "mia.ek@fjordvik.example"}
    _, sent = _owner_changes([OURS, COLLEAGUE], owner)
    assert [member["email"] for member in sent["/team"]] == ["mia.ek@fjordvik.example"]
    assert sent["/team"][0]["contactPreference"] == COLLEAGUE["contactPreference"]


def test_an_owner_nobody_knew_comes_first() -> None:
    _, sent = _owner_changes([COLLEAGUE], SUCCESSOR)
    assert [member["email"] for member in sent["/team"]] == ["Runa.Vik@fjordvik.example", "mia.ek@fjordvik.example"]


@pytest.mark.parametrize("owner", [None, {**SUCCESSOR, "address1_telephone1": None}], ids=["a team", "no phone"])
def test_an_owner_partner_center_would_refuse_is_not_sent_and_told_of_once(owner: dict[str, Any] | None) -> None:
    plan, sent = _owner_changes([OURS], owner)
    assert sent == {}
    assert _codes(plan) == ["TEAM_REQUIRED"]
    assert not plan.problems
    assert "team" in plan.agreed


def test_an_owner_without_a_phone_is_sent_with_the_one_of_the_settings() -> None:
    known, found = pairs.terms(default_phone="+47 22"), pairs.referral()
    row = pairs.opportunity(owner={**SUCCESSOR, "address1_telephone1": None})
    sent = _sent(merge(_state(found, pairs.opportunity(), known), found, row, known), found, row, known)
    assert [member["phoneNumber"] for member in sent["/team"]] == ["+47 22"]


def test_in_parity_the_team_stays_and_nothing_is_said() -> None:
    plan, sent = _owner_changes([OURS], SUCCESSOR, "parity")
    assert (sent, _codes(plan)) == ({}, [])


def test_a_change_of_the_team_in_partner_center_changes_nothing_in_the_crm() -> None:
    known, row = pairs.terms(), pairs.opportunity()
    state = _state(pairs.referral(), row, known)
    assert merge(state, pairs.referral({"team": [COLLEAGUE]}), row, known) == Plan()


def test_a_team_that_never_was_ours_is_agreed_as_it_is() -> None:
    """A deal from Partner Center, or one linked by an older version: nobody is put in without a change."""
    known, found, row = pairs.terms(), pairs.referral({"team": [COLLEAGUE]}), pairs.opportunity()
    state = _state(found, row, known)
    unknown = state.but(seen={name: seen for name, seen in state.seen.items() if name not in ("team", "contact")})
    plan = merge(unknown, found, row, known)
    assert not plan.to_pc
    assert {"team", "contact"} <= plan.agreed.keys()
    settled = unknown.with_seen(plan.agreed)
    later = pairs.opportunity(owner=SUCCESSOR)
    sent = _sent(merge(settled, found, later, known), found, later, known)
    assert [member["email"] for member in sent["/team"]] == ["Runa.Vik@fjordvik.example", "mia.ek@fjordvik.example"]


# -- the customer's contact --------------------------------------------------------------------------------------------
def _contact_changes(contact: dict[str, Any] | None, *, shared: bool, profile: str = "extended") -> tuple[Plan, Any]:
    known = pairs.terms(profile=profile)
    found = pairs.referral({} if shared else PRIVATE)
    columns = {} if shared else {**NOT_INVITED, "cosell_referralvisibility": None, "cosell_howcanmicrosofthelp": None}
    state = _state(found, pairs.opportunity(columns), known)
    row = pairs.opportunity(columns, contact=contact)
    plan = merge(state, found, row, known)
    return plan, _sent(plan, found, row, known)


def test_another_contact_travels_while_microsoft_does_not_see_the_deal() -> None:
    plan, sent = _contact_changes(OTHER_CONTACT, shared=False)
    wanted = {"firstName": "Lars", "lastName": "Moe", "email": "lars.moe@northgate.example", "phoneNumber": "+47 55 09"}
    assert sent == {"/customerProfile/team": [wanted]}
    assert not plan.notes


def test_after_the_deal_was_shared_another_contact_is_one_note_and_no_failure() -> None:
    plan, sent = _contact_changes(OTHER_CONTACT, shared=True)
    assert sent == {}
    assert _codes(plan) == ["CONTACT_READONLY"]
    assert not plan.problems
    assert "contact" in plan.agreed, "and is not noted again"


@pytest.mark.parametrize("by", [NOT_INVITED, {}], ids=["visible to Microsoft's sellers", "Microsoft was invited"])
def test_shared_is_what_microsoft_can_see(by: dict[str, Any]) -> None:
    known, found = pairs.terms(), pairs.referral({} if by else PRIVATE)
    state = _state(found, pairs.opportunity(by), known)
    assert _codes(merge(state, found, pairs.opportunity(by, contact=OTHER_CONTACT), known)) == ["CONTACT_READONLY"]


def test_a_contact_taken_off_a_private_deal_stays_in_partner_center() -> None:
    plan, sent = _contact_changes(None, shared=False)
    assert sent == {}
    assert _codes(plan) == ["CONTACT_INCOMPLETE"]


def test_in_parity_the_contact_stays_and_nothing_is_said() -> None:
    plan, sent = _contact_changes(OTHER_CONTACT, shared=False, profile="parity")
    assert (sent, _codes(plan)) == ({}, [])


def test_where_consent_is_required_nobody_is_sent_without_it() -> None:
    known, found = pairs.terms(consent="require"), pairs.referral(PRIVATE)
    agreed = {**NOT_INVITED, "cosell_consentconfirmed": True}
    state = _state(found, pairs.opportunity(agreed), known)
    row = pairs.opportunity({**NOT_INVITED, "cosell_consentconfirmed": False}, contact=OTHER_CONTACT)
    plan = merge(state, found, row, known)
    assert _sent(plan, found, row, known) == {}
    assert _codes(plan) == ["CONTACT_INCOMPLETE"]
    later = pairs.opportunity(agreed, contact=OTHER_CONTACT)
    sent = _sent(merge(state.with_seen(plan.agreed), found, later, known), found, later, known)
    assert sent["/customerProfile/team"][0]["email"] == "lars.moe@northgate.example"


# -- marks -------------------------------------------------------------------------------------------------------------
def test_what_was_sent_is_recognised_and_is_no_change() -> None:
    known, row = pairs.terms(), pairs.opportunity(owner=SUCCESSOR, contact=OTHER_CONTACT)
    back = Referral.model_validate({**own_body(row, known), "id": pairs.REFERRAL_ID})
    assert people.marks(back.team) == people.mark(people.seller(row, known))
    assert people.marks(back.customer_profile.team) == people.mark(people.customer_contact(row.contact))


def test_neither_state_nor_audit_holds_a_name_or_an_address() -> None:
    known, found = pairs.terms(), pairs.referral({"team": [OURS, COLLEAGUE]})
    state, row = _state(found, pairs.opportunity(), known), pairs.opportunity(owner=SUCCESSOR)
    plan = merge(state, found, row, known)
    told = state.to_json() + plan.to_pc[0].describe() + state.with_seen(plan.agreed).to_json()
    assert not [word for word in ("aksel", "mia", "runa", "@", "dahl") if word in told.lower()]


MIA = {
    "first_name": "Mia", "last_name": "Ek", "email": "mia.ek@fjordvik.example", "phone_number": "1", "title": "CFO",
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param(MIA, "b2d6b743fe7a0a2b.0af35b88c73b4b34", id="everything"),
        pytest.param({"email": "mia.ek@fjordvik.example"}, "b2d6b743fe7a0a2b.16647954c146404e", id="an address alone"),
        pytest.param({"last_name": "Ek"}, "5e930b1b2b6c65de.d63878513d72f888", id="a name alone"),
    ],
)
def test_a_mark_stays_what_it_is(given: dict[str, str], kept: str) -> None:
    """States hold marks: with another form of them, a new version would take everybody for changed."""
    assert people.marks([Member(**given)]) == (kept,)


@pytest.mark.parametrize("name", ["first_name", "last_name", "phone_number", "title"])
def test_a_person_with_other_data_is_the_same_person(name: str) -> None:
    found = people.marks([Member(**MIA), Member(**{**MIA, name: "Else"})])
    assert isinstance(found, tuple)
    assert len(set(found)) == 2
    assert len({mark.partition(".")[0] for mark in found}) == 1


def test_members_without_name_and_address_count_for_nothing() -> None:
    assert people.marks([Member(), Member(phone_number="+47 1")]) is None
    assert people.mark({}) is None
