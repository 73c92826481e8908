"""The mapping table as data: parsed, checked, and asked which field travels when (decision A10).

`build` takes the shipped tables and a user's overlay (already parsed TOML) and answers with one frozen `Mapping`, or
names every problem at once. Reading files is `shared.mapping_file`'s part; comparing values is `shared.domain.rules`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Dictionary
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from shared.errors import ConfigurationError

PATCHABLE = frozenset(
    {
        "campaignId",
        "consent.consentToShareReferralWithMicrosoftSellers",
        "customerProfile.team",
        "details.closingDateTime",
        "details.currency",
        "details.dealValue",
        "details.notes",
        "details.requirements.solutions",
        "externalReferenceId",
        "name",
        "referralProgram",
        "salesStage",
        "status",
        "substatus",
        "statusReason",
        "team",
    }
)
"""What PATCH accepts: the closed list of the referrals connector's OpenAPI file, and `name`, which the portal edits."""

RULES = (
    "name", "text", "notes", "money", "currency", "date", "moment", "stage", "solutions", "visibility", "help",
    "customer", "owner", "contact", "choice", "country", "size",
)  # fmt: skip
_AT_CREATION = ("customer", "owner", "contact")
"""Rules that decide about a row of the CRM when the deal arrives, and never again."""
_PATH = re.compile(r"^[A-Za-z]\w*(\[[\w ]+\])?(\.[A-Za-z]\w*(\[[\w ]+\])?)*$")
_COLUMN = re.compile(r"^(\{deal_value\}|\{country\}|[a-z][a-z0-9_]*)$")

Event = Literal["create", "update"]
Profile = Literal["extended", "parity"]


def _words(value: Any) -> Any:
    return frozenset(value.split()) if isinstance(value, str) else value


Times = Annotated[frozenset[Literal["create", "update", "extended"]], BeforeValidator(_words)]


class MappingRow(BaseModel):
    """One field: where it is on both sides, how it is compared, when it travels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    referral: str = ""
    column: str = ""
    rule: str = "text"
    to_crm: Times = frozenset({"create"})
    to_pc: Times = frozenset()
    refusal: str | None = None
    values: str | None = None
    max: int | None = None
    default: str | None = None
    """Column value of a new record where Partner Center has none."""
    sent_default: str | None = None
    """Value of a new referral where the column is empty."""
    off: bool = False

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.off:
            return self
        if self.rule not in RULES:
            raise ValueError(f"rule '{self.rule}' is unknown; choose one of {', '.join(RULES)}")
        if not _PATH.match(self.referral):
            raise ValueError(f"referral '{self.referral}' is not a path such as details.dealValue")
        if not _COLUMN.match(self.column):
            raise ValueError(f"column '{self.column}' is not a logical name such as estimatedvalue")
        if self.to_pc & {"update", "extended"} and self.referral not in PATCHABLE:
            raise ValueError(f"Partner Center does not accept updates of '{self.referral}'; use to_pc = \"create\"")
        if self.rule in _AT_CREATION and self.to_crm - {"create"}:
            raise ValueError(f'rule {self.rule} changes nothing in the CRM after creation; use to_crm = "create"')
        if self.rule == "choice" and not self.values:
            raise ValueError("rule choice needs the name of a value map in 'values'")
        return self

    def inbound(self, event: Event, profile: Profile) -> bool:
        """Whether Partner Center's value goes to the CRM at this event."""
        return _travels(self.to_crm, event, profile)

    def outbound(self, event: Event, profile: Profile) -> bool:
        """Whether the CRM's value goes to Partner Center at this event."""
        return _travels(self.to_pc, event, profile)

    @property
    def patch_path(self) -> str:
        return "/" + self.referral.replace(".", "/")


def _travels(times: frozenset[str], event: Event, profile: Profile) -> bool:
    return event in times or (event == "update" and "extended" in times and profile == "extended")


class Mapping(BaseModel):
    """All tables and value maps, ready for use."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    opportunity: tuple[MappingRow, ...]
    lead: tuple[MappingRow, ...]
    account: tuple[MappingRow, ...]
    contact: tuple[MappingRow, ...]
    values: dict[str, dict[str, Any]]
    countries: dict[str, tuple[str, ...]]
    """Two-letter code → three-letter code and names."""
    deal_value_fallback: str | None = None

    def row(self, field: str) -> MappingRow | None:
        """The opportunity row of a field."""
        return next((row for row in self.opportunity if row.field == field), None)

    def option(self, map_name: str, word: str) -> int:
        """The option value of a word in a value map that must have it."""
        return int(self.values[map_name][word])

    def word(self, map_name: str, option: Any) -> str | None:
        """The first word that stands for an option value."""
        return next((w for w, o in self.values[map_name].items() if o == option and w != "*"), None)


TABLES = ("opportunity", "lead", "account", "contact")
_WHOLE = ("visibility", "deal_type", "direction", "sync_status")
"""Value maps whose every word the connector itself uses."""
_TEXTS = ("close_reason", "stage_phase")
"""Value maps that give words; all others give options."""
_NEEDED = ("close_reason.100000003", "close_reason.100000008")
"""Reasons sent where the seller chose none."""


def build(
    shipped: Dictionary[str, Any],
    values: Dictionary[str, Any],
    countries: Dictionary[str, Any],
    *,
    overlay: Dictionary[str, Any] | None = None,
    columns: Dictionary[str, str],
    deal_value_fallback: str | None = None,
) -> Mapping:
    """One mapping from the shipped tables, a user's overlay and the columns the settings name (deal_value, country).

    `ConfigurationError` MAPPING_INVALID names every row that cannot be used.
    """
    given, problems = overlay or {}, list[str]()
    problems += [f"'{key}' is not a table of the mapping" for key in given if key not in (*TABLES, "values", "version")]
    tables = {table: _table(table, shipped[table], given.get(table, []), columns, problems) for table in TABLES}
    maps = _maps({k: v for k, v in values.items() if isinstance(v, dict)}, given.get("values", {}), problems)
    problems += [
        f"{table}.{row.field}: there is no value map '{row.values}'"
        for table, rows in tables.items()
        for row in rows
        if row.values and row.values not in maps
    ]
    if problems:
        raise ConfigurationError(
            "MAPPING_INVALID",
            f"The field mapping cannot be used: {'; '.join(problems)}.",
            "Correct the file named by FIELD_MAPPING_FILE; docs/mapping.md shows the shipped table.",
        )
    return Mapping(
        **tables,
        values=maps,
        countries={code: tuple(names) for code, names in countries.items()},
        deal_value_fallback=deal_value_fallback,
    )


def _table(
    table: str, shipped: list[dict[str, Any]], given: Any, columns: Dictionary[str, str], problems: list[str]
) -> tuple[MappingRow, ...]:
    """The rows of one table with the overlay's over them; what is wrong with a row joins `problems`."""
    merged = {row["field"]: row for row in shipped}
    if not isinstance(given, list):
        problems.append(f"{table} of the overlay is not a list of rows")
        given = []
    for number, row in enumerate(given, start=1):
        name = row.get("field") if isinstance(row, dict) else None
        if isinstance(name, str) and name:
            merged[name] = {**merged.get(name, {}), **row}
        else:
            problems.append(f"{table} row {number} of the overlay has no 'field'")
    rows, writers = list[MappingRow](), dict[str, str]()
    for name, raw in merged.items():
        column = str(raw.get("column", ""))
        for placeholder, wanted in columns.items():
            column = column.replace("{" + placeholder + "}", wanted)
        try:
            row = MappingRow.model_validate({**raw, "column": column})
        except ValidationError as error:
            problems += [f"{table}.{name}: {_reason(e)}" for e in error.errors(include_url=False)]
            continue
        if row.off:
            continue
        if row.to_crm and writers.setdefault(column, name) != name:
            problems.append(f"{table}.{name}: column '{column}' is already written by {writers[column]}")
        rows.append(row)
    return tuple(rows)


def _maps(shipped: Dictionary[str, Any], given: Any, problems: list[str]) -> dict[str, dict[str, Any]]:
    """The value maps with the overlay's in place of the shipped ones of the same name."""
    maps = {name: dict(content) for name, content in shipped.items()}
    if not isinstance(given, dict):
        problems.append("'values' of the overlay is not a table of value maps")
        return maps
    for name, content in given.items():
        if not isinstance(content, dict):
            problems.append(f"values.{name} is not a table of words and options")
            continue
        kind = str if name in _TEXTS else int
        problems += [
            f"values.{name}: '{word}' needs {'a text' if kind is str else 'a whole number'}"
            for word, option in content.items()
            if not isinstance(option, kind) or isinstance(option, bool)
        ]
        needed = (w for w in maps.get(name, ()) if name in _WHOLE or f"{name}.{w}" in _NEEDED)
        problems += [f"values.{name}: '{word}' is missing" for word in needed if word not in content]
        maps[name] = dict(content)
    return maps


def _reason(error: Any) -> str:
    where = ".".join(part for part in error["loc"] if isinstance(part, str))
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
