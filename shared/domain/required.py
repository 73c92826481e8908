"""What a deal must have before it is shared: every violation at once, before any call to Partner Center. Pure.

Sources: the connector's documented requirements (solution, customer, two-letter country, contact with help, revenue and
close date) and the mandatory columns of Partner Center's bulk upload page (address, team, consent, at most 50 entries).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from shared.domain import countries
from shared.domain.audit import Note
from shared.domain.opportunity import OPEN, Opportunity
from shared.domain.row import Row
from shared.domain.rules import RULES
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


def _violation(code: str, sentence: str, *, entering: bool = False) -> Violation:
    return Violation(Note(code, sentence), entering)


def _state(opportunity: Opportunity, terms: Terms) -> list[Violation]:
    found = []
    if opportunity.statecode != OPEN:
        found.append(_violation("OPPORTUNITY_CLOSED", "the opportunity is closed; only an open one can be shared"))
    help_row = terms.mapping.row("help")
    if help_row and wants_help(opportunity, terms):
        option = opportunity.row.values.get(help_row.column)
        if RULES["help"].from_opportunity(opportunity, help_row, terms) is None:
            text = f"option {option} of How can Microsoft help? has no counterpart in Partner Center"
            found.append(_violation("HELP_OPTION_UNMAPPED", text))
    return found


def _solutions(opportunity: Opportunity, _terms: Terms) -> list[Violation]:
    count = len(opportunity.solutions)
    if not count:
        return [_violation("SOLUTION_REQUIRED", "add at least one co-sell ready or Microsoft solution", entering=True)]
    if count > MOST:
        return [_violation("TOO_MANY_SOLUTIONS", f"{count} solutions; Partner Center takes at most {MOST}")]
    return []


def _customer(opportunity: Opportunity, terms: Terms) -> list[Violation]:
    account = opportunity.account
    if account is None or not account.text("name"):
        return [_violation("CUSTOMER_REQUIRED", "choose the customer's account")]
    name = account.text("name")
    found = []
    country = (account.text(terms.country_column) or "").strip()
    if not country:
        found.append(_violation("COUNTRY_MISSING", f'account "{name}" has no country; a two-letter ISO code is needed'))
    elif countries.code(country, terms) is None:
        hint = countries.suggestion(country, terms)
        text = f'account "{name}" has country "{country[:40]}"; a two-letter ISO code is needed'
        found.append(_violation("COUNTRY_INVALID", text + (f", perhaps {hint}" if hint else "")))
    missing = [
        label for column, label in (("address1_line1", "street"), ("address1_city", "city")) if not account.text(column)
    ]
    if missing:
        found.append(_violation("ADDRESS_INCOMPLETE", f'account "{name}" has no {" and no ".join(missing)}'))
    return found


def _contact(opportunity: Opportunity, terms: Terms) -> list[Violation]:
    if not wants_help(opportunity, terms):
        return []
    contact = opportunity.contact
    if contact is None:
        return [
            _violation("CONTACT_REQUIRED", "choose a customer contact: Microsoft's help was asked for", entering=True)
        ]
    missing = _missing(contact, (("firstname",), "first name"), (("lastname",), "last name"),
                       (("telephone1", "mobilephone"), "phone"), (("emailaddress1",), "e-mail"))  # fmt: skip
    return (
        [_violation("CONTACT_INCOMPLETE", f"the customer contact has no {' and no '.join(missing)}")] if missing else []
    )


def _missing(row: Row, *wanted: tuple[tuple[str, ...], str]) -> list[str]:
    return [label for columns, label in wanted if not any(row.text(column) for column in columns)]


def _money(opportunity: Opportunity, terms: Terms) -> list[Violation]:
    found = []
    row = terms.mapping.row("deal_value")
    value = RULES["money"].from_opportunity(opportunity, row, terms) if row else None
    if row and (value is None or Decimal(str(value)) <= 0):
        found.append(_violation("DEAL_VALUE_REQUIRED", "give the estimated revenue, more than 0"))
    day = terms.mapping.row("closing_date")
    if day and RULES[day.rule].from_opportunity(opportunity, day, terms) is None:
        found.append(_violation("CLOSE_DATE_REQUIRED", "give the estimated close date"))
    if not opportunity.currency:
        found.append(_violation("CURRENCY_REQUIRED", "choose a currency that has an ISO code"))
    return found


def _team(opportunity: Opportunity, terms: Terms) -> list[Violation]:
    owner = opportunity.owner
    if owner is None:
        return [_violation("TEAM_REQUIRED", "assign the opportunity to a user: Partner Center needs a team member")]
    missing = _missing(owner, (("firstname",), "first name"), (("lastname",), "last name"),
                       (("internalemailaddress",), "e-mail"))  # fmt: skip
    if not (terms.default_phone or _phone(owner)):
        missing.append("phone")
    return [_violation("TEAM_REQUIRED", f"the owner has no {' and no '.join(missing)}")] if missing else []


def _phone(owner: Row) -> str | None:
    return owner.text("address1_telephone1") or owner.text("mobilephone")


def _consent(opportunity: Opportunity, terms: Terms) -> list[Violation]:
    shares = wants_help(opportunity, terms) or opportunity.contact is not None
    if terms.consent == "assume" or not shares or opportunity.row.values.get("cosell_consentconfirmed") is True:
        return []
    return [_violation("CONSENT_REQUIRED", "confirm that the customer agreed to share the contact's data")]
