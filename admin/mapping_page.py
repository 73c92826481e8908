"""docs/mapping.md: the shipped mapping tables as a Dynamics 365 administrator reads them.

Rows come from `shared/field_mapping.toml` and its value maps, labels of the connector's own columns from
`infra/dataverse/schema.toml`. What a rule does is said here once, and every rule must be said.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from shared.domain.mapping import RULES, TABLES, MappingRow

_ROOT = Path(__file__).resolve().parents[1]
_HEAD = """# Field mapping

*Written by `python -m admin docs` from `shared/field_mapping.toml` and `shared/field_values.toml`; change it there, or
in a file of your own (below).*

One row is one field, for both directions. *Create* is the moment the record is made on the other side; *always* is
every later change; *extended* is every later change too, unless the setting `PROFILE` says `parity`; – is never.

## Opportunity

`{deal_value}` is the column named by the setting `DEAL_VALUE_COLUMN` (`estimatedvalue`), `{country}` the one named by
`COUNTRY_COLUMN` (`address1_country`). Besides these rows the connector keeps its own columns: identifiers, link,
status, *Audit*.
"""
_TITLES = {
    "lead": "\n## Lead\n\nA deal that nobody has accepted yet. Filled once, when the lead arrives.\n",
    "account": "\n## Account\n\nFilled when no account matches the customer (`ACCOUNT_MATCH_RULES`), and read when a\n"
    "deal is shared; its DUNS number and its own id go with it, so that a later deal of the customer finds it. An\n"
    "existing account is never changed.\n",
    "contact": "\n## Contact\n\nFilled when no contact matches; an existing contact is never changed. The properties\n"
    "are those of a member of `customerProfile.team`.\n",
}
_RULES = {
    "name": "one line, without ✔ and ✖; an empty name becomes customer and solution",
    "text": "as it is, cut to the column's length",
    "notes": "long text is cut with a marker and kept whole as a note on the timeline; never sent back shortened. HTML "
    "is compared and sent as its text, paragraphs, list items and breaks as lines; a text is HTML when an element is "
    "closed in it or it has a `<br>`, so `a < b` and `<none>` stay as they are",
    "money": "compared and written at the currency's decimals, rounded half up; 0 and empty never replace an amount",
    "currency": "by ISO code; one not active in the CRM is reported (`CURRENCY_UNKNOWN`), its amount not written. With "
    "`CURRENCY_POLICY=convert` the amount is written in the base currency by `CURRENCY_RATES`, and told "
    "(`CURRENCY_CONVERTED`); it is converted anew when Partner Center's amount changes, never because a rate did, and "
    "never sent back; what a seller enters goes out in the record's own currency",
    "date": "the day in UTC",
    "moment": "date and time in UTC, to the second",
    "stage": "Partner Center's percentage or word ↔ sales stage, by the value maps `stage` and `stage_words`. Into "
    "`salesstage` it brings the pipeline phase (`stepname`, by the map `stage_phase`) and the probability "
    "(`closeprobability`), where those columns exist and no row maps them: what a seller changes in these two alone "
    "stays, and is not sent",
    "solutions": "the whole list: one row of the solution table per id; the last one is never removed",
    "visibility": "only from hidden to visible, never back",
    "help": "by the value map `help`; cannot be changed after Microsoft was asked",
    "customer": "matched or created when the deal arrives, never changed afterwards",
    "owner": "our member of the partner's team: another owner takes the last one's place, colleagues whom the CRM does "
    "not know stay; when a deal arrives, the first member who is a user here becomes the owner",
    "contact": "the customer's contact, in the same way, until Microsoft is shown the deal; further contacts of a deal "
    "that arrives become contacts of the account",
    "choice": "by the value map named",
    "country": "two-letter ISO code, upper case; with `COUNTRY_LENIENT` also from an English name or three letters",
    "size": "number of employees ↔ size class, by the value map `size`",
}
_OVERLAY = """
## A file of your own

Set `FIELD_MAPPING_FILE` to a TOML file of the same format. A row replaces those members it gives of the row with the
same `field`; a row with a new `field` is added; `off = true` switches one off; a table below `[values]` replaces the
value map of that name.

```toml
opportunity = [
  { field = "deal_value", column = "new_contractvalue" },
  { field = "sales_stage", off = true },
  { field = "region", referral = "customerProfile.address.region", column = "new_region", to_crm = "create" },
]
```

The file is checked before the first deal is touched: what cannot be read is `MAPPING_UNREADABLE`, a row that makes no
sense `MAPPING_INVALID`, a column that this Dynamics 365 does not have `MAPPING_COLUMN_UNUSABLE`, each naming the row.
Updates of a property that Partner Center does not accept are refused here too. Deals wait in the queues until the file
is corrected.

Remember the steps in Dynamics 365: a change of a column starts a run only when the column is in the filter of the
opportunity's step (`infra/dataverse/schema.toml`). Without it the value travels with the next change that does, or with
the sweep.
"""


def page() -> str:
    """The whole page."""
    tables = _read(_ROOT / "shared/field_mapping.toml")
    labels = _labels()
    parts = [_HEAD, _opportunity(_rows(tables["opportunity"]), labels)]
    parts += [_TITLES[table] + _one_way(_rows(tables[table]), labels[table]) for table in TABLES if table in _TITLES]
    parts += ["\n## Rules\n\n| rule | what it does |\n|---|---|", *(f"| {name} | {_RULES[name]} |" for name in RULES)]
    parts += ["\n## Value maps\n\n" + _value_maps(), _OVERLAY]
    return "\n".join(parts)


def _opportunity(rows: list[MappingRow], labels: dict[str, dict[str, str]]) -> str:
    head = (
        "| field | Partner Center property | Dynamics 365 column | rule | to Dynamics 365 | to Partner Center "
        "| note when a change cannot be sent |\n|---|---|---|---|---|---|---|"
    )
    return "\n".join([head, *(_opportunity_row(row, labels["opportunity"] | labels["tables"]) for row in rows)])


def _opportunity_row(row: MappingRow, labels: dict[str, str]) -> str:
    rule = f"{row.rule} `{row.values}`" if row.values else row.rule
    cells = (row.field, f"`{row.referral}`", _column(row, labels), rule, _times(row.to_crm), _times(row.to_pc))
    refusal = f"[`{row.refusal}`](codes.md)" if row.refusal else ""
    return f"| {' | '.join(cells)} | {refusal} |"


def _one_way(rows: list[MappingRow], labels: dict[str, str]) -> str:
    lines = ["\n| field | Partner Center property | Dynamics 365 column | rule | most |\n|---|---|---|---|---|"]
    for row in rows:
        most = f"{row.max} characters" if row.max else ""
        fallback = f", `{row.default}` when empty" if row.default else ""
        rule = f"{row.rule} `{row.values}`" if row.values else row.rule
        lines.append(f"| {row.field} | `{row.referral}` | {_column(row, labels)}{fallback} | {rule} | {most} |")
    return "\n".join(lines)


def _column(row: MappingRow, labels: dict[str, str]) -> str:
    label = labels.get(row.column)
    return f"{label} (`{row.column}`)" if label else f"`{row.column}`"


def _times(times: frozenset[str]) -> str:
    words = {"create": "create", "update": "always", "extended": "extended"}
    return ", ".join(word for time, word in words.items() if time in times) or "–"


def _value_maps() -> str:
    maps = _read(_ROOT / "shared/field_values.toml")
    lines = ["| map | values |", "|---|---|"]
    for name, content in maps.items():
        if isinstance(content, dict):
            pairs = ", ".join(f"`{word}` = {value}" for word, value in content.items())
            lines.append(f"| {name} | {pairs} |")
    return "\n".join(lines)


def _rows(table: list[dict[str, Any]]) -> list[MappingRow]:
    return [MappingRow.model_validate(row) for row in table]


def _labels() -> dict[str, dict[str, str]]:
    """Table → column → label, for the connector's own columns; under `tables` the labels of its tables."""
    tables = _read(_ROOT / "infra/dataverse/schema.toml")["tables"]
    found = {
        name: {column["name"].lower(): column["label"] for column in tables.get(name, {}).get("columns", ())}
        for name in TABLES
    }
    found["tables"] = {name: table["label_plural"] for name, table in tables.items() if "label_plural" in table}
    return found


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return tomllib.load(file)
