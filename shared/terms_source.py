"""Builds the `Terms` of an installation from settings and what Dataverse says of itself: currencies, lengths, columns.

A mapping row whose column does not exist is found here, at start, with its name and what to do (decision A10).
"""

from __future__ import annotations

from shared.domain.mapping import TABLES, Mapping
from shared.domain.mapping_check import check
from shared.domain.sentences import LANGUAGES
from shared.domain.terms import Currency, Rates, Statuses, Terms
from shared.errors import ConfigurationError
from shared.ports import Condition, Dataverse
from shared.settings import Settings

_MOST_CURRENCIES = 200


def read_terms(settings: Settings, mapping: Mapping, dataverse: Dataverse) -> Terms:
    """The terms; `ConfigurationError` MAPPING_COLUMN_UNUSABLE when a column is missing or of another type."""
    _require_columns(mapping, dataverse)
    columns = dataverse.columns("opportunity")
    limits = {column.name: column.max_length for column in columns.values() if column.max_length}
    free = columns.keys() - {row.column for row in mapping.opportunity}
    return Terms(
        mapping=mapping,
        currencies=_currencies(dataverse),
        limits=limits,
        stage_columns=Terms.stage_columns & free,
        profile=settings.profile,
        statuses=Statuses(
            on_hold=settings.on_hold_status,
            active=settings.active_status,
            won=settings.won_status,
            declined=settings.declined_status,
            out_sold=settings.out_sold_status,
        ),
        marks=settings.marks,
        stage_words=settings.sales_stage_words,
        conflict=settings.conflict_policy,
        consent=settings.consent_policy,
        currency_policy=settings.currency_policy,
        rates=_rates(settings, dataverse),
        patch_name=settings.name_update_policy == "patch",
        partner_id=settings.pc_partner_id,
        organization_id=settings.pc_organization_id,
        account_rules=settings.account_rules,
        country_column=settings.country,
        country_lenient=settings.country_lenient,
        default_phone=settings.default_team_phone,
        link_template=settings.referral_link_template,
        terminal_grace_s=settings.terminal_grace_minutes * 60,
        solution_grace_s=settings.solution_grace_seconds,
        sentences=LANGUAGES[settings.seller_language],
    )


def _require_columns(mapping: Mapping, dataverse: Dataverse) -> None:
    found = check(mapping, {table: dataverse.columns(table) for table in TABLES})
    wrong = [f"{finding.problem} (field {finding.row.field})" for finding in found if finding.fatal]
    if mapping.deal_value_fallback and mapping.deal_value_fallback not in dataverse.columns("opportunity"):
        wrong.append(f"there is no column opportunity.{mapping.deal_value_fallback} (setting DEAL_VALUE_FALLBACK)")
    if wrong:
        raise ConfigurationError(
            "MAPPING_COLUMN_UNUSABLE",
            f"The field mapping does not fit Dynamics 365: {'; '.join(wrong)}.",
            "Correct the settings or the file named by FIELD_MAPPING_FILE, or create the columns.",
        )


def _currencies(dataverse: Dataverse) -> dict[str, Currency]:
    """Active currencies by ISO code; of two rows with one code the first counts."""
    rows = dataverse.find(
        "transactioncurrency",
        [Condition("statecode", 0)],
        ("isocurrencycode", "currencyprecision"),
        limit=_MOST_CURRENCIES,
    )
    found: dict[str, Currency] = {}
    for row in rows:
        code = row.text("isocurrencycode")
        if code:
            precision = row.values.get("currencyprecision")
            found.setdefault(code.upper(), Currency(row.id, precision if isinstance(precision, int) else 2))
    return found


def _rates(settings: Settings, dataverse: Dataverse) -> Rates | None:
    """How amounts are converted, where the settings want that; `parity` converts as little as Microsoft's connector."""
    if settings.currency_policy != "convert" or settings.profile == "parity":
        return None
    rows = dataverse.find("organization", [], ("basecurrencyid",), limit=1)
    base = rows[0].lookup("basecurrencyid") if rows else None
    code = dataverse.get("transactioncurrency", base.id, ("isocurrencycode",)).text("isocurrencycode") if base else None
    return Rates(code.upper(), settings.currency_rates or {}) if code else None
