"""What a deal must have before it is shared: every violation at once, before any call to Partner Center. Pure.

Sources: the connector's documented requirements (solution, customer, two-letter country, contact with help, revenue and
close date) and the mandatory columns of Partner Center's bulk upload page (address, team, consent, at most 50 entries).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shared.domain import countries
from shared.domain.opportunity import OPEN, Opportunity
from shared.domain.row import Row
from shared.domain.rules import RULES
from shared.domain.sentences import Note, Value
from shared.domain.terms import Terms

MOST = 50
"""Most solutions and most team members of one deal."""


@dataclass(frozen=True)
class Violation:
    """One missing or unusable piece; `entering` marks what a seller can only add after the first save."""

    note: Note
    entering: bool = False


def violations(opportunity: Opportunity, terms: Terms) -> list[Violation]:
    """Everything that stands between this opportunity and a referral."""
    checks = (_state, _solutions, _customer, _contact, _money, _team, _consent)
    return [violation for check in checks for violation in check(opportunity, terms)]


def wants_help(opportunity: Opportunity, terms: Terms) -> bool:
    """Whether the seller chose how Microsoft can help (mapped or not)."""
    row = terms.mapping.row("help")
    return row is not None and opportunity.row.values.get(row.column) is not None


def _violation(code: str, *, case: str = "", entering: bool = False, **values: Value) -> Violation:
    return Violation(Note(code, values, case), entering)


def _state(opportunity: Opportunity, terms: Terms) -> list[Violation]:
    found = []
    if opportunity.statecode != OPEN:
        found.append(_violation("OPPORTUNITY_CLOSED"))
    help_row = terms.mapping.row("help")
    if help_row and wants_help(opportunity, terms):
        option = opportunity.row.values.get(help_row.column)
        if RULES["help"].from_opportunity(opportunity, help_row, terms) is None:
            found.append(_violation("HELP_OPTION_UNMAPPED", option=str(option)))
    return found


def _solutions(opportunity: Opportunity, _terms: Terms) -> list[Violation]:
    count = len(opportunity.solutions)
    if not count:
        return [_violation("SOLUTION_REQUIRED", entering=True)]
    if count > MOST:
        return [_violation("TOO_MANY_SOLUTIONS", count=count, most=MOST)]
    return []


def _customer(opportunity: Opportunity, terms: Terms) -> list[Violation]:
    account = opportunity.account
    name = account.text("name") if account else None
    if account is None or name is None:
        return [_violation("CUSTOMER_REQUIRED")]
    found = []
    country = (account.text(terms.country_column) or "").strip()
    if not country:
        found.append(_violation("COUNTRY_MISSING", name=name))
    elif countries.code(country, terms) is None:
        hint = countries.suggestion(country, terms)
        perhaps: dict[str, Any] = {"case": "perhaps", "hint": hint} if hint else {}
        found.append(_violation("COUNTRY_INVALID", name=name, country=country[:40], **perhaps))
    missing = _missing(account, (("address1_line1",), "street"), (("address1_city",), "city"))
    if missing:
        found.append(_violation("ADDRESS_INCOMPLETE", name=name, missing=missing))
    return found


def _contact(opportunity: Opportunity, terms: Terms) -> list[Violation]:
    if not wants_help(opportunity, terms):
        return []
    contact = opportunity.contact
    if contact is None:
        return [_violation("CONTACT_REQUIRED", entering=True)]
    missing = _missing(contact, (("firstname",), "first_name"), (("lastname",), "last_name"),
                       (("telephone1", "mobilephone"), "phone"), (("emailaddress1",), "email"))  # fmt: skip
    return [_violation("CONTACT_INCOMPLETE", missing=missing)] if missing else []


def _missing(row: Row, *wanted: tuple[tuple[str, ...], str]) -> tuple[str, ...]:
    """The words for what stands in none of its columns."""
    return tuple(word for columns, word in wanted if not any(row.text(column) for column in columns))


def _money(opportunity: Opportunity, terms: Terms) -> list[Violation]:
    found = []
    row = terms.mapping.row("deal_value")
    value = RULES["money"].from_opportunity(opportunity, row, terms) if row else None
    if row and (value is None or Decimal(str(value)) <= 0):
        found.append(_violation("DEAL_VALUE_REQUIRED"))
    day = terms.mapping.row("closing_date")
    if day and RULES[day.rule].from_opportunity(opportunity, day, terms) is None:
        found.append(_violation("CLOSE_DATE_REQUIRED"))
    if not opportunity.currency:
        found.append(_violation("CURRENCY_REQUIRED"))
    return found


def _team(opportunity: Opportunity, terms: Terms) -> list[Violation]:
    owner = opportunity.owner
    if owner is None:
        return [_violation("TEAM_REQUIRED")]
    missing = _missing(owner, (("firstname",), "first_name"), (("lastname",), "last_name"),
                       (("internalemailaddress",), "email"))  # fmt: skip
    if not terms.default_phone:
        missing += _missing(owner, (("address1_telephone1", "mobilephone"), "phone"))
    return [_violation("TEAM_REQUIRED", case="incomplete", missing=missing)] if missing else []


def _consent(opportunity: Opportunity, terms: Terms) -> list[Violation]:
    shares = wants_help(opportunity, terms) or opportunity.contact is not None
    if terms.consent == "assume" or not shares or opportunity.row.values.get("cosell_consentconfirmed") is True:
        return []
    return [_violation("CONSENT_REQUIRED")]
