"""The sentences in the catalogue are those that the code says, and docs/codes.md explains their codes to sellers."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from shared import errors
from shared.domain.languages import en
from shared.domain.sentences import ANY_REFUSAL

SHARED = Path(errors.__file__).parent


def _made() -> Iterator[str]:
    """Keys of the notes and outcomes that the source makes; `*_there` where the end is only known when it runs."""
    for source in sorted(SHARED.rglob("*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Note", "_violation", "outcome"):
                yield from _key(node)
    mapping = tomllib.loads((SHARED / "field_mapping.toml").read_text(encoding="utf-8"))
    yield from (row["refusal"] for row in mapping["opportunity"] if "refusal" in row)


def _key(call: ast.Call) -> Iterator[str]:
    first = call.args[0] if call.args else None
    cases = [word.value for word in call.keywords if word.arg == "case"]
    if isinstance(first, ast.Constant) and first.value:
        yield ".".join([str(first.value), *(str(case.value) for case in cases if isinstance(case, ast.Constant))])
    elif isinstance(first, ast.JoinedStr):
        yield "*" + "".join(str(part.value) for part in first.values if isinstance(part, ast.Constant))


CHOSEN_WHEN_IT_RUNS = {
    "COUNTRY_INVALID.perhaps",
    "CURRENCY_UNKNOWN.no_rate",
    "shared",
    "shared_with_help",
    "help_asked",
    ANY_REFUSAL,
}


def test_the_catalogue_holds_what_the_code_says_and_nothing_else() -> None:
    made = set(_made())
    open_ends = tuple(key.removeprefix("*") for key in made if key.startswith("*"))
    assert open_ends == ("_there",)
    assert {key for key in made if not key.startswith("*")} - en.SENTENCES.keys() == set()
    unsaid = {key for key in en.SENTENCES.keys() - made - CHOSEN_WHEN_IT_RUNS if not key.endswith(open_ends)}
    assert unsaid == set()


def test_every_code_that_a_seller_reads_is_explained_and_the_other_way_round() -> None:
    page = (SHARED.parent / "docs/codes.md").read_text(encoding="utf-8")
    _, first, second, rest = re.split(r"^## ", page, flags=re.MULTILINE)[:4]
    for_sellers = {code for section in (first, second) for row in re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
                   for code in re.findall(r"`(\w+)`", row)}  # fmt: skip
    codes = {key.partition(".")[0] for key in en.SENTENCES if key[0].isupper()}
    assert codes - for_sellers == {"BRAKE_CLOSINGS"}, "which stands with what was refused"
    assert "`BRAKE_CLOSINGS`" in rest
    assert for_sellers - codes == set()
