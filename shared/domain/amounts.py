"""The amount of a deal whose currency the CRM does not have: reported, left out, or written in the base currency. Pure.

Value and currency are one amount. What was converted is remembered like any value that one side cannot hold: the base
has Partner Center's amount and ours, so that neither a new rate nor a new currency is anybody's change, and ours is
never sent back. `shared.domain.plan` decides when an amount moves, `shared.domain.incoming` writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from shared.domain.opportunity import Opportunity
from shared.domain.referral import Referral
from shared.domain.rules_numbers import MONEY, money_text
from shared.domain.sentences import Note
from shared.domain.state import Seen
from shared.domain.terms import Terms

AMOUNT = ("deal_value", "currency")
"""The two fields that are one amount."""


@dataclass(frozen=True)
class Converted:
    """Field of the amount → its value in the CRM's base currency; `note` is what the seller reads of it."""

    values: dict[str, str]
    note: Note


def foreign(referral: Referral, terms: Terms) -> str | None:
    """The deal's currency, where the CRM has none of that code."""
    code = (referral.details.currency or "").strip().upper()
    return code if code and terms.currencies and code not in terms.currencies else None


def converted(referral: Referral, terms: Terms) -> Converted | None:
    """The deal's amount in the base currency, where it cannot be written otherwise and a rate is known."""
    code, rates, row = foreign(referral, terms), terms.rates, terms.mapping.row("deal_value")
    if code is None or rates is None or code not in rates.worth or row is None or terms.mapping.row("currency") is None:
        return None
    amount, rate = MONEY.from_referral(referral, row, terms), rates.worth[code]
    value = money_text(Decimal(str(amount)) * rate, terms.precision(rates.base)) if amount is not None else None
    if value is None or Decimal(str(amount)) == 0:
        return None
    there, here = f"{amount} {code}", f"{value} {rates.base}"
    note = Note("CURRENCY_CONVERTED", {"there": there, "here": here, "rate": str(rate)})
    return Converted({"deal_value": value, "currency": rates.base}, note)


def told(referral: Referral, terms: Terms) -> tuple[Note, ...]:
    """What a seller reads of a deal that arrives with a converted amount."""
    found = converted(referral, terms)
    return (found.note,) if found else ()


def problem(referral: Referral, terms: Terms) -> Note | None:
    """Why the amount is left as it is; nothing where the settings want it left out, or know a rate."""
    code, rates = foreign(referral, terms), terms.rates
    if code is None or terms.currency_policy == "ignore" or (rates and code in rates.worth):
        return None
    return Note("CURRENCY_UNKNOWN", {"currency": code}, "no_rate" if rates else "")


def apart(seen: Seen | None) -> bool:
    """Whether the two sides agreed on different numbers, as after a conversion."""
    return seen is not None and None not in (seen.pc, seen.crm) and seen.pc != seen.crm


def revenue(referral: Referral, opportunity: Opportunity, terms: Terms) -> Decimal | None:
    """What the deal was won for, in the currency of the record: a converted amount is the record's own."""
    if foreign(referral, terms) is None:
        return referral.details.deal_value
    row = terms.mapping.row("deal_value")
    return opportunity.row.values.get(row.column) if row and converted(referral, terms) else None
