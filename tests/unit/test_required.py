"""What keeps a deal from being shared: each rule alone, all at once, and the words a seller reads."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.domain.opportunity import Opportunity
from shared.domain.required import violations, wants_help
from shared.domain.row import Lookup, Row
from tests.unit import pairs


def _without(table: dict[str, Any], *columns: str, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name not in columns} | changes


def _codes(row: Opportunity, **known: Any) -> list[str]:
    return [violation.note.code for violation in violations(row, pairs.terms(**known))]


def _sentence(row: Opportunity, **known: Any) -> str:
    (violation,) = violations(row, pairs.terms(**known))
    return violation.note.sentence


def test_a_complete_deal_lacks_nothing() -> None:
    assert violations(pairs.opportunity(), pairs.terms()) == []
    assert violations(pairs.opportunity({"cosell_consentconfirmed": True}), pairs.terms(consent="require")) == []


HELP_OFF = {"cosell_howcanmicrosofthelp": None}
ACCOUNT, CONTACT, OWNER = pairs.ACCOUNT, pairs.CONTACT, pairs.OWNER


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        pytest.param(pairs.opportunity(solutions={}), "SOLUTION_REQUIRED", "at least one", id="R2 no solution"),
        pytest.param(pairs.opportunity({"cosell_products": " ; ,"}, solutions={}), "SOLUTION_REQUIRED", "add",
                     id="R2 Products without an id"),
        pytest.param(pairs.opportunity(account=None), "CUSTOMER_REQUIRED", "account", id="R3 no account"),
        pytest.param(pairs.opportunity(account=_without(ACCOUNT, "name")), "CUSTOMER_REQUIRED", "account",
                     id="R3 account without name"),
        pytest.param(pairs.opportunity(account=_without(ACCOUNT, "address1_country")), "COUNTRY_MISSING",
                     "Northgate Foods AS", id="R4 no country"),
        pytest.param(pairs.opportunity(account=_without(ACCOUNT, address1_country="  ")), "COUNTRY_MISSING",
                     "two-letter", id="R4 blank country"),
        pytest.param(pairs.opportunity(account=_without(ACCOUNT, address1_country="Germany")), "COUNTRY_INVALID",
                     "perhaps DE", id="R4 a name"),
        pytest.param(pairs.opportunity(account=_without(ACCOUNT, address1_country="uk")), "COUNTRY_INVALID",
                     "perhaps GB", id="R4 UK"),
        pytest.param(pairs.opportunity(account=_without(ACCOUNT, address1_country="USA")), "COUNTRY_INVALID",
                     "perhaps US", id="R4 three letters"),
        pytest.param(pairs.opportunity(account=_without(ACCOUNT, "address1_line1")), "ADDRESS_INCOMPLETE", "no street",
                     id="R5 no street"),
        pytest.param(pairs.opportunity(account=_without(ACCOUNT, "address1_line1", "address1_city")),
                     "ADDRESS_INCOMPLETE", "no street and no city", id="R5 neither"),
        pytest.param(pairs.opportunity(contact=None), "CONTACT_REQUIRED", "help", id="R6 no contact"),
        pytest.param(pairs.opportunity(contact=_without(CONTACT, "telephone1")), "CONTACT_INCOMPLETE", "no phone",
                     id="R6 no phone"),
        pytest.param(pairs.opportunity(contact=_without(CONTACT, "firstname", "emailaddress1")), "CONTACT_INCOMPLETE",
                     "no first name and no e-mail", id="R6 two gaps"),
        pytest.param(pairs.opportunity({"estimatedvalue": None}), "DEAL_VALUE_REQUIRED", "revenue", id="R7 no value"),
        pytest.param(pairs.opportunity({"estimatedclosedate": None}), "CLOSE_DATE_REQUIRED", "close date",
                     id="R7 no date"),
        pytest.param(pairs.opportunity({"estimatedvalue": Decimal(0)}), "DEAL_VALUE_REQUIRED", "more than 0",
                     id="R8 zero"),
        pytest.param(pairs.opportunity({"estimatedvalue": Decimal(-5)}), "DEAL_VALUE_REQUIRED", "more than 0",
                     id="R8 negative"),
        pytest.param(pairs.opportunity(currency=None), "CURRENCY_REQUIRED", "ISO", id="R9 no currency"),
        pytest.param(pairs.opportunity(owner=None), "TEAM_REQUIRED", "user", id="R10 no owner"),
        pytest.param(pairs.opportunity(owner=_without(OWNER, "mobilephone")), "TEAM_REQUIRED", "no phone",
                     id="R10 no phone"),
        pytest.param(pairs.opportunity(owner=_without(OWNER, "lastname", "internalemailaddress")), "TEAM_REQUIRED",
                     "no last name and no e-mail", id="R10 two gaps"),
        pytest.param(pairs.opportunity({"statecode": 1, "statuscode": 3}), "OPPORTUNITY_CLOSED", "closed",
                     id="R12 won"),
        pytest.param(pairs.opportunity({"statecode": 2, "statuscode": 4}), "OPPORTUNITY_CLOSED", "closed",
                     id="R12 lost"),
        pytest.param(pairs.opportunity(solutions={f"SOL-{n}": "" for n in range(51)}), "TOO_MANY_SOLUTIONS",
                     "51 solutions; Partner Center takes at most 50", id="R13 51 solutions"),
        pytest.param(pairs.opportunity({"cosell_howcanmicrosofthelp": 424242}), "HELP_OPTION_UNMAPPED", "424242",
                     id="help nobody mapped"),
    ],
)  # fmt: skip
def test_each_rule_alone(row: Opportunity, code: str, words: str) -> None:
    (violation,) = violations(row, pairs.terms())
    assert violation.note.code == code
    assert words in violation.note.sentence


def test_what_an_account_lacks_is_said_with_its_name() -> None:
    row = pairs.opportunity(account=_without(ACCOUNT, "address1_line1", "address1_city"))
    assert _sentence(row) == 'account "Northgate Foods AS" has no street and no city'


def test_fifty_solutions_are_allowed() -> None:
    assert _codes(pairs.opportunity(solutions={f"SOL-{n}": "" for n in range(50)})) == []


def test_everything_at_once_in_one_list() -> None:
    row = pairs.opportunity(
        {"statecode": 1, "estimatedvalue": None, "estimatedclosedate": None},
        account={"name": "Contoso"}, contact={"lastname": "Doe"}, owner=None, currency=None, solutions={},
    )  # fmt: skip
    assert _codes(row, consent="require") == [
        "OPPORTUNITY_CLOSED", "SOLUTION_REQUIRED", "COUNTRY_MISSING", "ADDRESS_INCOMPLETE", "CONTACT_INCOMPLETE",
        "DEAL_VALUE_REQUIRED", "CLOSE_DATE_REQUIRED", "CURRENCY_REQUIRED", "TEAM_REQUIRED", "CONSENT_REQUIRED",
    ]  # fmt: skip


def test_only_what_follows_the_first_save_counts_as_still_being_entered() -> None:
    row = pairs.opportunity({"estimatedvalue": None}, contact=None, solutions={}, owner=None)
    entering = {violation.note.code for violation in violations(row, pairs.terms()) if violation.entering}
    assert entering == {"SOLUTION_REQUIRED", "CONTACT_REQUIRED"}


# -- help, contact, consent --------------------------------------------------------------------------------------------
def test_without_help_no_contact_is_needed() -> None:
    assert _codes(pairs.opportunity(HELP_OFF, contact=None)) == []
    assert _codes(pairs.opportunity(HELP_OFF, contact={"lastname": "Doe"})) == []


def test_help_is_wanted_even_when_the_option_is_unmapped() -> None:
    assert wants_help(pairs.opportunity({"cosell_howcanmicrosofthelp": 424242}), pairs.terms())
    assert not wants_help(pairs.opportunity(HELP_OFF), pairs.terms())


@pytest.mark.parametrize(
    ("row", "missing"),
    [
        pytest.param(pairs.opportunity(), True, id="R11 help"),
        pytest.param(pairs.opportunity({"cosell_consentconfirmed": False}), True, id="R11 consent refused"),
        pytest.param(pairs.opportunity(HELP_OFF), True, id="R11 a contact is shared"),
        pytest.param(pairs.opportunity(HELP_OFF, contact=None), False, id="nobody's data is shared"),
        pytest.param(pairs.opportunity({"cosell_consentconfirmed": True}), False, id="consent given"),
    ],
)
def test_consent_where_it_is_required(row: Opportunity, missing: bool) -> None:
    assert _codes(row, consent="require") == (["CONSENT_REQUIRED"] if missing else [])
    assert _codes(row, consent="assume") == []


# -- where the data come from ------------------------------------------------------------------------------------------
def test_a_default_phone_stands_in_for_the_owners() -> None:
    assert _codes(pairs.opportunity(owner=_without(OWNER, "mobilephone")), default_phone="+47 1") == []
    assert _codes(pairs.opportunity(owner=_without(OWNER, "mobilephone", address1_telephone1="+47 2"))) == []


def test_a_mobile_phone_is_a_phone() -> None:
    assert _codes(pairs.opportunity(contact=_without(CONTACT, "telephone1", mobilephone="+47 3"))) == []


def test_the_country_comes_from_the_column_the_settings_name() -> None:
    account = _without(ACCOUNT, address1_country="Germany", new_iso2="de")
    assert _codes(pairs.opportunity(account=account), country_column="new_iso2") == []


@pytest.mark.parametrize("country", ["Germany", "deu", " UK "])
def test_where_a_clear_meaning_is_enough_a_name_is_a_country(country: str) -> None:
    row = pairs.opportunity(account=_without(ACCOUNT, address1_country=country))
    assert _codes(row) == ["COUNTRY_INVALID"]
    assert _codes(row, country_lenient=True) == []


def test_what_means_no_country_is_reported_however_lenient_the_terms() -> None:
    row = pairs.opportunity(account=_without(ACCOUNT, address1_country="Atlantis"))
    words = 'account "Northgate Foods AS" has country "Atlantis"; a two-letter ISO code is needed'
    assert _sentence(row, country_lenient=True) == words


def test_the_fallback_column_holds_the_deal_value() -> None:
    mapping = pairs.mapping().model_copy(update={"deal_value_fallback": "budgetamount"})
    row = {"estimatedvalue": None, "budgetamount": Decimal(10)}
    assert _codes(pairs.opportunity(row), mapping=mapping) == []
    assert _codes(pairs.opportunity({**row, "budgetamount": None}), mapping=mapping) == ["DEAL_VALUE_REQUIRED"]


@pytest.mark.parametrize(
    ("field", "changes", "codes"),
    [
        ("closing_date", {"column": "new_closeson"}, ["CLOSE_DATE_REQUIRED"]),
        ("closing_date", None, []),
        ("deal_value", None, []),
        ("help", None, []),
    ],
    ids=["redirected", "no closing date", "no deal value", "no help"],
)
def test_rows_an_overlay_redirects_or_switches_off(
    field: str, changes: dict[str, Any] | None, codes: list[str]
) -> None:
    rows = tuple(
        row.model_copy(update=changes) if row.field == field and changes else row
        for row in pairs.mapping().opportunity
        if row.field != field or changes
    )
    mapping = pairs.mapping().model_copy(update={"opportunity": rows})
    columns = {"estimatedvalue": None} if field == "deal_value" else {}
    row = pairs.opportunity(columns, contact=None if field == "help" else CONTACT)
    assert _codes(row, mapping=mapping) == codes


def test_the_customer_and_the_contact_may_come_from_elsewhere() -> None:
    bare = pairs.opportunity({"parentaccountid": None}, account=None, contact=None)
    row = Opportunity(bare.row, Row("account", "a", "", ACCOUNT), Row("contact", "c", "", CONTACT))
    assert _codes(row) == []
    assert row.customer == Lookup("account", pairs.ACCOUNT_ID)
