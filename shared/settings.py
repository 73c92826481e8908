"""Every setting, once: name, default, meaning, check. The sample file and `docs/settings.md` are held against it.

`load` reads a mapping such as `os.environ`, names all problems in one message, and never shows a value (it may be a
secret). Settings that Dataverse also holds as environment variables (`FROM_DATAVERSE`) win over those when given here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from shared.domain.terms import ACCOUNT_RULES, AccountRule
from shared.errors import ConfigurationError


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise ValueError("this is no address") from None  # the library's own words would repeat it


def _https(value: object) -> str:
    text = str(value).strip().rstrip("/")
    parts = _split(text)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("give an https:// address without user, query or fragment")
    return text


def _reachable(value: object) -> str:
    text = str(value).strip()
    parts = _split(text)
    loopback = parts.hostname == "localhost" or re.fullmatch(r"127(\.\d{1,3}){3}", parts.hostname or "")
    if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and loopback)):
        raise ValueError("give the public https:// address of the webhook function (http only on loopback)")
    return text


def _words(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _yes_no(value: object) -> object:
    known = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}
    if isinstance(value, str) and value.strip().lower() not in known:
        raise ValueError("give yes or no")
    return known[value.strip().lower()] if isinstance(value, str) else value


def _rates(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = [re.fullmatch(r"\s*([A-Za-z]{3})\s*=\s*(\d{1,9}(?:\.\d{1,9})?)\s*", part) for part in value.split(",")]
    rates = {match[1].upper(): Decimal(match[2]) for match in found if match}
    if len(rates) < len(found) or not all(rates.values()):
        raise ValueError("give each currency once, with what one unit is worth, such as EUR=1.08, GBP=1.27")
    return rates


Https = Annotated[str, BeforeValidator(_https)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Rates = Annotated[dict[str, Decimal], BeforeValidator(_rates)]
YesNo = Annotated[bool, BeforeValidator(_yes_no)]
Guid = Annotated[
    str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"), BeforeValidator(lambda v: str(v).lower())
]
AccountRules = Annotated[tuple[AccountRule, ...], BeforeValidator(_words), Field(min_length=1)]
ColumnName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,127}$")]
ConflictPolicy = Literal["latest", "pc", "crm", "manual"]

REFERRAL_EVENTS = ("referral-created", "referral-updated", "related-referral-created", "related-referral-updated")
FROM_DATAVERSE = {
    "DISPLAY_CHECK_MARK": "cosell_displaycheckmark",
    "SYNC_CO_SELL_ONLY": "cosell_synccosellonly",
    "DEAL_VALUE_COLUMN": "cosell_dealvaluecolumn",
    "COUNTRY_COLUMN": "cosell_countrycolumn",
}
"""Setting → environment variable in Dataverse (schema name, lower-case)."""


class Settings(BaseModel):
    """The app's settings; names in the environment are the field names in upper case, except `ServiceBusConnection`."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    # -- Partner Center ----------------------------------------------------------------------------------------------
    pc_base_url: Https = Field("https://api.partner.microsoft.com", description="Referrals API")
    pc_webhook_base_url: Https = Field(
        "https://api.partnercenter.microsoft.com", description="Webhook registration API"
    )
    pc_tenant_id: Guid = Field(description="Entra tenant of the Partner Center account")
    pc_client_id: Guid = Field(description="App registration with the Partner Center permission")
    pc_client_secret: SecretStr = Field(description="Its secret; in Azure a Key Vault reference")
    pc_refresh_token_secret: str = Field(
        "partner-center-refresh-token", description="Key Vault secret that holds the service user's refresh token"
    )
    pc_organization_id: Guid | None = Field(
        None, description="Your organisation's id in Partner Center; tells your referrals from other partners'"
    )
    pc_partner_id: str | None = Field(None, description="PartnerID (MPN ID) of the location new deals belong to")
    pc_calls_per_minute: int = Field(
        80, ge=1, le=10_000, description="Most calls to Partner Center per minute and host"
    )
    referral_link_template: str = Field(
        "https://partner.microsoft.com/dashboard/referrals/v2/deals/{referralId}", description="Referral Link column"
    )
    key_vault_url: Https = Field(description="Key Vault with the refresh token")

    # -- Dynamics 365 ------------------------------------------------------------------------------------------------
    dataverse_url: Https = Field(description="Environment URL, such as https://contoso.crm.dynamics.com")
    default_owner_id: Guid | None = Field(None, description="User that owns inbound deals when no team member matches")
    default_team_phone: str | None = Field(
        None, description="Phone sent for team members who have none in the CRM", repr=False
    )

    # -- Azure -------------------------------------------------------------------------------------------------------
    service_bus_connection: SecretStr | None = Field(
        None, alias="ServiceBusConnection", description="Connection string; only where no managed identity is possible"
    )
    service_bus_namespace: str | None = Field(
        None,
        alias="ServiceBusConnection__fullyQualifiedNamespace",
        description="Service Bus namespace, such as sb-cosell.servicebus.windows.net (managed identity)",
    )
    azure_authority_host: Https = Field("https://login.microsoftonline.com", description="Entra ID")
    tls_ca_bundle: str | None = Field(
        None, description="PEM file of the TLS authorities to trust; empty: the public ones"
    )

    # -- webhook -----------------------------------------------------------------------------------------------------
    webhook_url: Annotated[str, BeforeValidator(_reachable)] | None = Field(
        None,
        description="Public address of partner_center_webhook, with its key; what the registration points to",
        repr=False,
    )
    webhook_events: Words = Field(REFERRAL_EVENTS, description="Events to register, comma separated")
    webhook_certificate_urls: Words = Field(
        ("https://3psostorageacct.blob.core.windows.net/cert/pcnotifications-dispatch.microsoft.com.cer",),
        description="The only addresses the signer's certificate is fetched from",
    )
    webhook_trust_bundle: str | None = Field(
        None, description="PEM file of roots and intermediates the signer may chain to; empty: the public roots"
    )
    webhook_signer: str = Field(
        "pcnotifications-dispatch.microsoft.com", description="Name in the signer's certificate"
    )
    webhook_max_age_days: float = Field(
        14, gt=0, le=3650, description="Events older than this are answered and ignored"
    )
    webhook_self_heal: YesNo = Field(False, description="Take the registration back when another app overwrote it")

    # -- behaviour ---------------------------------------------------------------------------------------------------
    profile: Literal["extended", "parity"] = Field(
        "extended", description="parity: only what Microsoft's own connector updates; extended: everything mapped"
    )
    display_check_mark: YesNo | None = Field(None, description="✔/✖ before the opportunity's name; default yes")
    sync_co_sell_only: YesNo | None = Field(None, description="Take only shared deals from Partner Center; default no")
    inbound_mode: Literal["auto", "review"] = Field(
        "auto", description="review: a new inbound deal waits in `parked` until an operator approves it"
    )
    sync_leads: YesNo = Field(True, description="Take leads from Partner Center (unless sync_co_sell_only)")
    sync_private_deals: YesNo = Field(
        True, description="Take private deals from Partner Center (unless sync_co_sell_only)"
    )
    deal_value_column: ColumnName | None = Field(
        None, description="Opportunity column of the deal value; default estimatedvalue"
    )
    country_column: ColumnName | None = Field(
        None, description="Account column of the two-letter country; default address1_country"
    )
    deal_value_fallback: ColumnName | None = Field(
        None, description="Read when the deal value column is empty, e.g. budgetamount"
    )
    country_lenient: YesNo = Field(
        False, description="Take an English country name or three letters for the two-letter code; no: report them"
    )
    account_match_rules: AccountRules | None = Field(
        None,
        description="How an inbound deal's account is found, comma separated, tried in this order: external_id, duns, "
        "name_and_postal_code, name_and_country (of a customer without postal code); default all, profile parity only "
        "name_and_postal_code",
    )
    field_mapping_file: str | None = Field(None, description="Overlay over the shipped mapping table (same format)")
    conflict_policy: ConflictPolicy = Field("latest", description="Same field changed on both sides: who wins")
    currency_policy: Literal["fail", "convert", "ignore"] = Field(
        "fail",
        description="Currency unknown to the CRM: report, convert by currency_rates into the base currency (profile "
        "extended only; without a rate: report), or leave the amount out",
    )
    currency_rates: Rates | None = Field(
        None, description="What one unit of a currency is worth in the CRM's base currency, such as EUR=1.08, GBP=1.27"
    )
    consent_policy: Literal["require", "assume"] = Field(
        "assume",
        description="require: the consent column must be Yes before a contact is shared; assume: Sync = Yes counts",
    )
    name_update_policy: Literal["ignore", "patch"] = Field(
        "ignore", description="Send a changed name to Partner Center, or only note it"
    )
    crm_id_not_found_policy: Literal["ignore", "recreate"] = Field(
        "ignore", description="Referral names a CRM record that does not exist"
    )
    delete_policy: Literal["unlink", "decline"] = Field("unlink", description="A linked opportunity was deleted")
    seller_language: Literal["en", "de", "fr"] = Field(
        "en", description="Language of what sellers read in Audit; codes are the same in each"
    )
    sales_stage_words: YesNo = Field(True, description="Send Qualify, Develop, Propose or Close; no: a percentage")
    on_hold_status: int = Field(2, description="Status reason of an inbound deal that awaits the seller's answer")
    active_status: int = Field(1, description="Status reason of an open deal")
    declined_status: int = Field(4, description="Status reason of a lost, declined or expired deal")
    out_sold_status: int = Field(5, description="Status reason of a deal lost to another vendor")
    won_status: int = Field(3, description="Status reason of a won deal")
    debounce_seconds: float = Field(
        3, ge=0, le=600, description="Wait after a CRM change for more changes of the same record"
    )
    solution_grace_seconds: float = Field(
        300, ge=0, le=3600, description="How long missing solutions or contacts count as still being entered"
    )
    terminal_grace_minutes: float = Field(
        10, ge=0, le=1440, description="Wait before Won or Lost is sent: it cannot be undone"
    )
    create_lease_seconds: float = Field(
        90, ge=1, le=600, description="How long one run keeps others from creating the same referral"
    )
    brake_closings_per_hour: int = Field(
        50, ge=1, description="More closings an hour than this, in one direction, wait for `admin closings approve`"
    )
    notify_url: SecretStr | None = Field(
        None, description="Teams workflow or incoming webhook for new inbound deals, expiring deals and failures"
    )
    look_back_hours: float = Field(2, gt=0, le=8760, description="How far the sweep looks back")
    nightly_look_back_days: float = Field(
        14, gt=0, le=365, description="How far the nightly comparison looks back at Partner Center, besides open deals"
    )
    dry_run: YesNo = Field(False, description="Log planned writes, write nothing")

    @property
    def marks(self) -> bool:
        return self.display_check_mark is not False

    @property
    def value_column(self) -> str:
        return self.deal_value_column or "estimatedvalue"

    @property
    def country(self) -> str:
        return self.country_column or "address1_country"

    @property
    def account_rules(self) -> tuple[AccountRule, ...]:
        return self.account_match_rules or (("name_and_postal_code",) if self.profile == "parity" else ACCOUNT_RULES)

    def with_dataverse(self, variables: Mapping[str, str]) -> Settings:
        """These settings, completed by Dataverse's environment variables (schema name → value)."""
        found = {
            setting: variables[name]
            for setting, name in FROM_DATAVERSE.items()
            if getattr(self, setting.lower()) is None and variables.get(name)
        }
        return load({**_as_environment(self), **found}) if found else self


def _as_environment(settings: Settings) -> dict[str, object]:
    values = {(field.alias or name.upper()): getattr(settings, name) for name, field in Settings.model_fields.items()}
    return {name: value for name, value in values.items() if value is not None}


def load(environment: Mapping[str, object]) -> Settings:
    """The settings in `environment`; `ConfigurationError` SETTINGS_INVALID with every problem in one sentence."""
    values = {}
    for name, field in Settings.model_fields.items():
        given = environment.get(field.alias or name.upper())
        if given is not None and given != "":
            values[field.alias or name] = given
    problems = []
    if "ServiceBusConnection" not in values and "ServiceBusConnection__fullyQualifiedNamespace" not in values:
        problems.append("ServiceBusConnection or ServiceBusConnection__fullyQualifiedNamespace is missing")
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [_problem(e["loc"], e["msg"], e["type"]) for e in error.errors(include_input=False)]
    if problems:
        raise ConfigurationError(
            "SETTINGS_INVALID",
            f"The settings cannot be used: {'; '.join(sorted(problems))}.",
            "Correct them in the app settings (locally: local.settings.json); docs/settings.md explains each.",
        )
    return settings


def _problem(location: tuple[int | str, ...], message: str, kind: str) -> str:
    name = str(location[0])
    name = name if name in {f.alias for f in Settings.model_fields.values()} else name.upper()
    return f"{name}: {'is missing' if kind == 'missing' else message.removeprefix('Value error, ')}"
