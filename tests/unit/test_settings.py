"""Reading the settings: defaults, all problems in one answer, never a secret in it, Dataverse's variables."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.errors import ConfigurationError
from shared.settings import FROM_DATAVERSE, REFERRAL_EVENTS, Settings, load
from tests.unit import pairs


def _sentence(**changes: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        pairs.settings(**changes)
    assert caught.value.code == "SETTINGS_INVALID"
    assert caught.value.__cause__ is None
    return caught.value.sentence


def test_defaults() -> None:
    found = pairs.settings()
    assert (found.profile, found.conflict_policy, found.currency_policy) == ("extended", "latest", "fail")
    assert (found.marks, found.value_column, found.country) == (True, "estimatedvalue", "address1_country")
    assert found.webhook_events == REFERRAL_EVENTS
    assert (found.pc_calls_per_minute, found.terminal_grace_minutes) == (80, 10)


def test_how_accounts_are_found() -> None:
    every = ("external_id", "duns", "name_and_postal_code", "name_and_country")
    assert pairs.settings().account_rules == every
    assert pairs.settings(PROFILE="parity").account_rules == ("name_and_postal_code",)
    chosen = pairs.settings(ACCOUNT_MATCH_RULES=" duns, external_id,", PROFILE="parity")
    assert chosen.account_rules == ("duns", "external_id")
    assert chosen.with_dataverse(VARIABLES).account_rules == chosen.account_rules


def test_an_empty_setting_is_no_setting() -> None:
    assert pairs.settings(PROFILE="", PC_PARTNER_ID="").profile == "extended"
    assert "KEY_VAULT_URL: is missing" in _sentence(KEY_VAULT_URL="")


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({})
    for name in ("PC_TENANT_ID", "PC_CLIENT_ID", "PC_CLIENT_SECRET", "KEY_VAULT_URL", "DATAVERSE_URL",
                 "ServiceBusConnection__fullyQualifiedNamespace"):  # fmt: skip
        assert name in caught.value.sentence
    assert "docs/settings.md" in caught.value.remedy


def test_all_that_is_wrong_is_named_at_once() -> None:
    sentence = _sentence(
        DATAVERSE_URL="http://contoso", PROFILE="large", SYNC_LEADS="perhaps", PC_TENANT_ID="x",
        DEBOUNCE_SECONDS="-1", ServiceBusConnection__fullyQualifiedNamespace="",
    )  # fmt: skip
    for name in ("DATAVERSE_URL", "PROFILE", "SYNC_LEADS", "PC_TENANT_ID", "DEBOUNCE_SECONDS", "ServiceBusConnection"):
        assert name in sentence
    assert "SYNC_LEADS: give yes or no" in sentence


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PC_BASE_URL", "http://api.example", "https://"),
        ("PC_BASE_URL", "https://user@api.example", "without user"),
        ("PC_BASE_URL", "https://api.example?x=1", "query"),
        ("PC_BASE_URL", "https://api.example#x", "fragment"),
        ("PC_BASE_URL", "https://[", "no address"),
        ("PC_BASE_URL", "api.example", "https://"),
        ("WEBHOOK_URL", "http://functions.example/api", "http only on loopback"),
        ("WEBHOOK_URL", "http://127.0.0.1.example/api", "http only on loopback"),
        ("WEBHOOK_URL", "https:///api", "public https://"),
        ("WEBHOOK_URL", "https://[::1", "no address"),
        ("PC_ORGANIZATION_ID", "5b8e2c1e", "pattern"),
        ("DEAL_VALUE_COLUMN", "Deal Value", "pattern"),
        ("PC_CALLS_PER_MINUTE", "0", "greater than or equal to 1"),
        ("PC_CALLS_PER_MINUTE", "many", "valid integer"),
        ("LOOK_BACK_HOURS", "inf", "less than or equal to 8760"),
        ("LOOK_BACK_HOURS", "nan", "less than or equal to 8760"),
        ("WEBHOOK_MAX_AGE_DAYS", "1e9", "less than or equal to 3650"),
        ("CONFLICT_POLICY", "mine", "'latest', 'pc', 'crm' or 'manual'"),
        ("WEBHOOK_EVENTS", 5, "valid tuple"),
        ("ACCOUNT_MATCH_RULES", "duns, phone", "'external_id', 'duns', 'name_and_postal_code' or 'name_and_country'"),
        ("ACCOUNT_MATCH_RULES", " , ", "at least 1 item"),
        ("COUNTRY_LENIENT", "perhaps", "give yes or no"),
    ],
)
def test_one_wrong_setting(name: str, value: object, words: str) -> None:
    sentence = _sentence(**{name: value})
    assert sentence.startswith(f"The settings cannot be used: {name}: ")
    assert words in sentence


@pytest.mark.parametrize(
    "value", ["http://localhost:7071/api", "http://127.0.0.1:7071/api", "https://x.example/api?k=1"]
)
def test_webhook_addresses_that_can_be_reached(value: str) -> None:
    assert pairs.settings(WEBHOOK_URL=value).webhook_url == value


@pytest.mark.parametrize(
    ("value", "yes"), [("yes", True), ("No", False), (" TRUE ", True), ("false", False), ("1", True), ("0", False),
                       (True, True), (False, False)],
)  # fmt: skip
def test_yes_and_no(value: object, yes: bool) -> None:
    assert pairs.settings(DRY_RUN=value).dry_run is yes


def test_lists_are_comma_separated() -> None:
    assert pairs.settings(WEBHOOK_EVENTS=" referral-created ,, referral-updated,").webhook_events == (
        "referral-created", "referral-updated",
    )  # fmt: skip


@pytest.mark.parametrize(
    "value",
    ["EUR=1.08, gbp = 1.270,CHF=2", {"EUR": "1.08", "GBP": "1.270", "CHF": "2"}],
    ids=["as text", "as read before"],
)
def test_rates_are_exact(value: object) -> None:
    rates = pairs.settings(CURRENCY_POLICY="convert", CURRENCY_RATES=value).currency_rates
    assert rates == {"EUR": Decimal("1.08"), "GBP": Decimal("1.27"), "CHF": Decimal(2)}


@pytest.mark.parametrize(
    "value",
    ["EUR", "EUR=", "EUR=1,08", "EUR=1.08;GBP=2", "EUR=0", "EUR=0.00", "EUR=-1", "EURO=1", "E1R=1", "EUR=1, eur=2",
     "EUR=1,", "=1", "EUR=1e3", "EUR=.5", "EUR=1.", "EUR=NaN", "EUR=1234567890"],
)  # fmt: skip
def test_rates_that_cannot_be_read(value: str) -> None:
    assert _sentence(CURRENCY_RATES=value) == (
        "The settings cannot be used: CURRENCY_RATES: give each currency once, with what one unit is worth, such as "
        "EUR=1.08, GBP=1.27."
    )


def test_rates_that_are_wrong_are_named_with_all_else() -> None:
    sentence = _sentence(CURRENCY_RATES="1.08", CURRENCY_POLICY="guess", PROFILE="large")
    for name in ("CURRENCY_RATES: give each", "CURRENCY_POLICY: ", "PROFILE: "):
        assert name in sentence


def test_rates_outlive_dataverses_variables() -> None:
    found = pairs.settings(CURRENCY_RATES="EUR=1.08").with_dataverse({"cosell_displaycheckmark": "no"})
    assert found.currency_rates == {"EUR": Decimal("1.08")}


def test_addresses_lose_their_last_slash_and_ids_their_capitals() -> None:
    found = pairs.settings(DATAVERSE_URL=" https://contoso.crm.example/ ", PC_TENANT_ID=pairs.ORGANIZATION_ID.upper())
    assert found.dataverse_url == "https://contoso.crm.example"
    assert found.pc_tenant_id == pairs.ORGANIZATION_ID


# -- secrets -----------------------------------------------------------------------------------------------------------
CANARY = "hunter2"
SECRETS: dict[str, object] = {
    "PC_CLIENT_SECRET": f"{CANARY}-client",
    "ServiceBusConnection": f"Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey={CANARY}",
    "WEBHOOK_URL": f"https://functions.example/api/partner_center_webhook?code={CANARY}",
}


def test_no_secret_is_shown() -> None:
    found = pairs.settings(**SECRETS)
    assert CANARY not in repr(found)
    assert CANARY not in str(found)
    assert found.pc_client_secret.get_secret_value() == f"{CANARY}-client"


def _refusal(changes: dict[str, object]) -> str:
    """Everything a refusal says; nothing when the settings are taken."""
    try:
        pairs.settings(**changes)
    except ConfigurationError as error:
        return f"{error} {error!r} {error.__cause__!r}"
    return ""


def test_no_value_is_repeated_in_a_refusal() -> None:
    address = f"https://{CANARY}:{CANARY}@exa\u2100mple/?code={CANARY}"
    names = [field.alias or name.upper() for name, field in Settings.model_fields.items()]
    values: tuple[object, ...] = (address, CANARY, [CANARY], {CANARY: CANARY})
    said = [_refusal({**SECRETS, name: value}) for name in names for value in values]
    assert sum(map(bool, said)) > 2 * len(names), "most settings refuse most of these"
    assert not [words for words in said if CANARY in words]


# -- Dataverse's variables ---------------------------------------------------------------------------------------------
VARIABLES = {
    "cosell_displaycheckmark": "no",
    "cosell_synccosellonly": "yes",
    "cosell_dealvaluecolumn": "new_tcv",
    "cosell_countrycolumn": "new_iso2",
}


def test_the_variables_cover_what_microsofts_connector_had() -> None:
    assert set(FROM_DATAVERSE.values()) == set(VARIABLES)


def test_dataverses_variables_complete_the_settings() -> None:
    found = pairs.settings(**SECRETS, WEBHOOK_EVENTS="referral-created").with_dataverse(VARIABLES)
    assert (found.marks, found.sync_co_sell_only, found.value_column, found.country) == (
        False, True, "new_tcv", "new_iso2",
    )  # fmt: skip
    assert found.pc_client_secret.get_secret_value() == f"{CANARY}-client"
    assert found.webhook_events == ("referral-created",)
    assert found.webhook_url == SECRETS["WEBHOOK_URL"]


def test_a_setting_wins_over_its_variable() -> None:
    own: dict[str, Any] = {"DISPLAY_CHECK_MARK": "yes", "DEAL_VALUE_COLUMN": "new_mine"}
    found = pairs.settings(**own).with_dataverse(VARIABLES)
    assert (found.marks, found.value_column, found.country) == (True, "new_mine", "new_iso2")


def test_empty_variables_change_nothing() -> None:
    before = pairs.settings()
    assert before.with_dataverse({"cosell_dealvaluecolumn": "", "other": "x"}) is before


def test_a_wrong_variable_is_named_like_its_setting() -> None:
    with pytest.raises(ConfigurationError, match="DISPLAY_CHECK_MARK: give yes or no"):
        pairs.settings().with_dataverse({"cosell_displaycheckmark": "perhaps"})
