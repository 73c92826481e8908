"""The terms on which both sides are compared: mapping, currencies, column lengths, policies. Data only.

Built once per process by `shared.app` from settings and Dataverse's metadata; passed to every domain function.
"""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Literal, get_args

from shared.domain import opportunity
from shared.domain.mapping import Mapping, Profile
from shared.domain.sentences import ENGLISH, Sentences


@dataclass(frozen=True)
class Currency:
    """One active currency of the CRM."""

    id: str
    precision: int


@dataclass(frozen=True)
class Rates:
    """How amounts are converted: the CRM's base currency, and what one unit of another is worth in it."""

    base: str
    worth: Dictionary[str, Decimal]
    """ISO code → rate."""


@dataclass(frozen=True)
class Statuses:
    """Status reasons of the opportunity, as the settings name them."""

    on_hold: int = 2
    active: int = 1
    won: int = 3
    declined: int = 4
    out_sold: int = 5


AccountRule = Literal["external_id", "duns", "name_and_postal_code", "name_and_country"]
"""How the account of a deal that arrives may be found."""
ACCOUNT_RULES: tuple[AccountRule, ...] = get_args(AccountRule)
"""All of them, the surest first: in this order they are tried."""


@dataclass(frozen=True)
class Terms:
    """Everything a decision needs besides the pair itself."""

    mapping: Mapping
    currencies: Dictionary[str, Currency] = field(default_factory=dict)
    """ISO code → currency."""
    limits: Dictionary[str, int] = field(default_factory=dict)
    """Opportunity column → longest text it holds, in UTF-16 units as Dataverse counts."""
    stage_columns: frozenset[str] = frozenset({"stepname", "closeprobability"})
    """Opportunity columns that follow the sales stage, as far as the CRM has them and no row maps them."""
    profile: Profile = "extended"
    statuses: Statuses = Statuses()
    marks: bool = True
    stage_words: bool = True
    conflict: Literal["latest", "pc", "crm", "manual"] = "latest"
    consent: Literal["require", "assume"] = "assume"
    currency_policy: Literal["fail", "convert", "ignore"] = "fail"
    rates: Rates | None = None
    """Only where amounts in currencies unknown to the CRM are converted."""
    patch_name: bool = False
    partner_id: str | None = None
    organization_id: str | None = None
    account_rules: tuple[AccountRule, ...] = ACCOUNT_RULES
    country_column: str = "address1_country"
    country_lenient: bool = False
    """Whether an account's country may be a name or three letters."""
    default_phone: str | None = None
    link_template: str = "https://partner.microsoft.com/dashboard/referrals/v2/deals/{referralId}"
    terminal_grace_s: float = 600
    solution_grace_s: float = 300
    sentences: Sentences = ENGLISH
    """The language sellers read."""

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """What one read of an opportunity must bring."""
        return opportunity.columns(self.mapping)

    @cached_property
    def related(self) -> Dictionary[str, tuple[str, ...]]:
        """And of the rows around it."""
        return opportunity.expand(self.mapping)

    def precision(self, currency: str | None) -> int:
        """Decimal places of a currency; 2 where the CRM does not know it."""
        known = self.currencies.get((currency or "").upper())
        return known.precision if known else 2

    def link(self, referral_id: str) -> str:
        return self.link_template.replace("{referralId}", referral_id)
