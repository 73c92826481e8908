"""What the documents say is what the code does: pages, sample, links, commands, names."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import pytest

from admin import docs as generated
from admin.__main__ import main
from admin.mapping_page import page as mapping_page
from admin.settings_page import environment_name
from admin.settings_page import page as settings_page
from shared.domain.mapping import MappingRow
from shared.messages import Queue
from shared.settings import Settings, load
from tests.docs.codes import raised

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "mutants" for part in path.relative_to(ROOT).parts)
)
PLATFORM = {"AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME"}
_ENVIRONMENT = {
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT",
    "PYTHON_THREADPOOL_THREAD_COUNT",
}
"""Variables of the platform and the SDKs that documents may name."""
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code_in(page: Path) -> Iterator[str]:
    """Every line of a fenced block and every piece of inline code."""
    text = page.read_text(encoding="utf-8")
    for language, block in _FENCE.findall(text):
        if language in ("", "sh"):
            yield from block.splitlines()
    yield from _INLINE.findall(_FENCE.sub("", text))


def code_of_all() -> list[tuple[Path, str]]:
    return [(page, code) for page in PAGES for code in code_in(page)]


# -- pages written from the code -------------------------------------------------------------------------------------
def test_generated_pages_are_up_to_date() -> None:
    assert generated.outdated() == [], "run: python -m admin docs"


def test_the_settings_page_has_one_row_per_setting() -> None:
    named = re.findall(r"^\| `([\w]+)` \| .* \| .* \| .* \|$", settings_page(), re.MULTILINE)
    assert sorted(named) == sorted(map(environment_name, Settings.model_fields))


def test_the_mapping_page_has_one_row_per_mapped_field() -> None:
    tables = tomllib.loads(text_of("shared/field_mapping.toml"))
    rows = [f"| {row['field']} | `{row['referral']}` |" for table in tables.values() if table != 1 for row in table]
    assert len(rows) > 40
    assert [row for row in rows if row not in mapping_page()] == []


def test_a_page_that_differs_is_out_of_date(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/settings.md").write_text(settings_page() + "more")
    (tmp_path / "docs/mapping.md").write_text(mapping_page())
    assert generated.outdated(tmp_path) == ["docs/settings.md"]


# -- the sample ------------------------------------------------------------------------------------------------------
def test_the_sample_holds_exactly_what_must_be_given() -> None:
    sample = json.loads(text_of("local.settings.sample.json"))
    required = {environment_name(name) for name, field in Settings.model_fields.items() if field.is_required()}
    assert set(sample["Values"]) == required | PLATFORM | {"ServiceBusConnection__fullyQualifiedNamespace"}
    assert load(sample["Values"]).dataverse_url == sample["Values"]["DATAVERSE_URL"]


def test_the_readme_is_honest_about_settings_without_effect() -> None:
    assert ("nothing reads it yet" in text_of("README.md")) == ("nothing reads it yet" in settings_page())


# -- names -----------------------------------------------------------------------------------------------------------
def test_every_code_is_explained_and_none_is_made_up() -> None:
    first_cells = re.findall(r"^\| (`.+?) \|", text_of("docs/codes.md"), re.MULTILINE)
    explained = {code for cell in first_cells for code in _INLINE.findall(cell)}
    known = raised()
    families = tuple(code.removesuffix("*") for code in known if code.endswith("_*"))
    assert len(known) > 100
    assert {code for code in known - explained if not code.endswith("_*")} == set(), "explain them in docs/codes.md"
    assert all(any(code.startswith(family) for code in explained) for family in families)
    results = {"REGISTERED", "UPDATED", "UNCHANGED", "FAILED"}
    assert {code for code in explained - known - results if not code.startswith(families)} == set()


def test_names_in_capitals_are_settings_or_codes() -> None:
    known = raised() | set(map(environment_name, Settings.model_fields)) | PLATFORM | _ENVIRONMENT
    known |= {code.removeprefix("*_") for code in known}
    suffixes = tuple(code.removeprefix("*") for code in known if code.startswith("*_"))
    families = tuple(code.removesuffix("*") for code in known if code.endswith("_*"))
    unknown = {
        (str(page.relative_to(ROOT)), name)
        for page, code in code_of_all()
        for name in re.findall(r"^([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b", code)
        if name not in known and not name.endswith(suffixes) and not name.startswith(families)
    }
    assert unknown == set()


def test_the_readme_shows_every_function_of_a_flow_and_every_queue() -> None:
    readme = text_of("README.md")
    triggers = re.findall(r"^@app\.(\w+)\(.*\)\ndef (\w+)\(", text_of("function_app.py"), re.MULTILINE)
    flows = [name for trigger, name in triggers if trigger != "timer_trigger" and name != "status"]
    assert len(flows) == 8
    assert [name for name in flows if name not in readme] == []
    assert [queue for queue in Queue if queue not in readme] == []


def test_the_architecture_lists_every_queue() -> None:
    section = text_of("docs/architecture.md").partition("## The queues")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([\w-]+)` \|", section, re.MULTILINE) == [queue.value for queue in Queue]


def test_the_index_of_decisions_is_complete() -> None:
    pages = {path.name for path in (ROOT / "docs/adr").glob("0*.md")}
    assert set(re.findall(r"\]\((0[\w-]+\.md)\)", text_of("docs/adr/README.md"))) == pages
    assert len(pages) >= 12


def test_what_travels_to_partner_center_is_in_the_steps_filter() -> None:
    """A column outside the filter starts no run: the mapping and the installed steps must agree."""
    schema = tomllib.loads(text_of("infra/dataverse/schema.toml"))
    filters = next(set(step["filter"]) for step in schema["steps"] if step["table"] == "opportunity")
    rows = map(MappingRow.model_validate, tomllib.loads(text_of("shared/field_mapping.toml"))["opportunity"])
    travelling = {row.column for row in rows if row.to_pc and row.rule != "solutions"}
    columns = {"estimatedvalue" if column == "{deal_value}" else column for column in travelling}
    assert columns - filters == set()


# -- links, paths and commands ---------------------------------------------------------------------------------------
def test_relative_links_lead_somewhere() -> None:
    links = [
        (page, link.partition("#")[0])
        for page in PAGES
        for link in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
        if "://" not in link
    ]
    assert len(links) > 100
    assert [(str(page), link) for page, link in links if link and not (page.parent / link).exists()] == []


def test_paths_lead_somewhere() -> None:
    folder = re.compile(r"(tests|shared|docs|infra|sandbox|admin)/[\w./-]*")
    paths = [(str(page), code) for page, code in code_of_all() if folder.fullmatch(code)]
    assert len(paths) > 100
    assert [(page, path) for page, path in paths if not (ROOT / path).exists()] == []


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^(\w+):", text_of("Makefile"), re.MULTILINE))
    named = {(match, str(page)) for page, code in code_of_all() for match in re.findall(r"^make (\w+)", code)}
    assert {name for name, _ in named} >= {"run", "test", "check"}
    assert [(page, name) for name, page in named if name not in targets] == []


def commands(page: Path) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """`python -m …` lines: module with its subcommands, and the options named after them."""
    for code in code_in(page):
        match = re.match(r"(?:\S*/)?python -m ([\w.]+)( .*)?$", code.partition("#")[0].strip())
        if match:
            words = shlex.split((match[2] or "").replace("…", ""))
            options = tuple(word for word in words if word.startswith("--"))
            after = [word for place, word in enumerate(words) if place == 0 or not words[place - 1].startswith("--")]
            plain = (word for word in after if re.fullmatch(r"[a-z]+", word))
            yield (match[1], *plain), options


@cache
def help_of(command: tuple[str, ...]) -> str:
    """The help of a command, that of its parents included; fails when one does not exist."""
    module, *words = command
    if module == "admin":  # in this process: it has many commands, and starting each takes a second
        shown = io.StringIO()
        with redirect_stdout(shown), redirect_stderr(shown), pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        code, text = ended.value.code, shown.getvalue()
    else:
        done = subprocess.run(  # noqa: S603 - our own interpreter, commands of our own documents
            [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        code, text = done.returncode, done.stdout + done.stderr
    assert code == 0, f"{' '.join(command)}: {text}"
    return text + (help_of(command[:-1]) if words else "")


def test_commands_and_their_options_exist() -> None:
    for page in PAGES:
        for command, options in commands(page):
            missing = [option for option in options if option not in help_of(command)]
            assert missing == [], f"{page}: python -m {' '.join(command)} has no {missing}"


def test_commands_named_by_the_app_itself_exist() -> None:
    """A remedy that names a command which does not exist is none."""
    sources = [source.read_text(encoding="utf-8") for source in (ROOT / "shared").rglob("*.py")]
    named = {
        words for text in sources for words in re.findall(r"python -m admin ([a-z]+(?: [a-z]+)?)(?=[`.\";:])", text)
    }
    assert "consent" in named
    for words in named:
        assert help_of(("admin", *words.split()))
