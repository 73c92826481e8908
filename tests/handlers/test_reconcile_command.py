"""`python -m admin reconcile` on a system in memory: what it prints, what it sends, and how it ends."""

from __future__ import annotations

import argparse
import io
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest

from admin import reconcile
from admin.reconcile import Counter
from shared.app import App
from shared.handlers.sweep import Compared
from tests.chaos.world import World
from tests.handlers.town import TO_CRM, TO_PC, Town

SUM = re.compile(r"(\d+) compared, (\d+) in step, (\d+) with a difference, (\d+) hinted, \d+ s\.")


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def sum(self) -> tuple[int, ...]:
        match = SUM.fullmatch(self.out.splitlines()[-1])
        assert match is not None
        return tuple(map(int, match.groups()))


type Command = Callable[..., Ran]


@pytest.fixture
def town() -> Town:
    made = Town(World())
    made.unheard(lambda: made.edit(made.private, estimatedvalue=Decimal(65000)))
    made.unheard(lambda: made.center.edit_in_portal(made.referral_id(made.shared), details__notes="For your eyes only"))
    return made


@pytest.fixture
def command(town: Town, capsys: pytest.CaptureFixture[str]) -> Command:
    closed: list[bool] = []
    app = SimpleNamespace(connections=town.world.connections, queues=SimpleNamespace(close=lambda: closed.append(True)))

    def run(*words: str) -> Ran:
        parser = argparse.ArgumentParser()
        reconcile.add(parser.add_subparsers())
        code = reconcile.run(parser.parse_args(["reconcile", *words]), lambda: cast(App, app))
        said = capsys.readouterr()
        assert bool(closed) == (code < 2)
        return Ran(code, said.out, said.err)

    return run


def test_everything_is_compared_and_what_differs_is_hinted(town: Town, command: Command) -> None:
    ran = command("--all")
    assert (ran.code, ran.sum, ran.err) == (0, (7, 5, 2, 2), "")
    assert [hint.row_id for hint in town.world.queues.hints(TO_PC)] == [town.private]
    assert [hint.row_id for hint in town.world.queues.hints(TO_CRM)] == [town.referral_id(town.shared)]
    town.rest()
    assert command("--since", "0.5").sum[2:] == (0, 0)


def test_a_dry_run_lists_ids_and_names_and_sends_nothing(town: Town, command: Command) -> None:
    ran = command("--all", "--dry-run")
    assert (ran.code, ran.sum) == (0, (7, 5, 2, 0))
    lines = dict(line.split(": ", 1) for line in ran.out.splitlines()[:-1])
    private, shared = ((town.referral_id(one), one) for one in (town.private, town.shared))
    assert lines.keys() == {f"referral {referral}, opportunity {row_id}" for referral, row_id in (private, shared)}
    assert "/details/dealValue" in lines[f"referral {private[0]}, opportunity {private[1]}"]
    assert "description" in lines[f"referral {shared[0]}, opportunity {shared[1]}"]
    assert not any(word in ran.out for word in ("65000", "eyes", "Northgate", "Cold"))
    assert town.world.queues.hints(TO_PC) == town.world.queues.hints(TO_CRM) == []


@pytest.mark.parametrize("braces", [False, True])
def test_one_opportunity(town: Town, command: Command, braces: bool) -> None:
    name = f"{{{town.private.upper()}}}" if braces else town.private
    assert command("--opportunity", name).sum == (1, 0, 1, 1)
    assert [hint.row_id for hint in town.world.queues.hints(TO_PC)] == [town.private]
    assert command("--opportunity", town.co_sell).sum == (1, 1, 0, 0)
    assert command("--opportunity", town.blocked).sum == (1, 1, 0, 0)


def test_one_referral(town: Town, command: Command) -> None:
    assert command("--referral", town.referral_id(town.shared)).sum == (1, 0, 1, 1)
    assert command("--referral", town.lead).sum == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Nothing says what to compare: give one of --referral ID, --opportunity ID, --since HOURS or --all."),
        (
            ["--all", "--since", "3"],
            "--since and --all exclude each other: give one of "
            "--referral ID, --opportunity ID, --since HOURS or --all.",
        ),
        (
            ["--referral", "x", "--opportunity", "y", "--dry-run"],
            "--referral and --opportunity exclude each other: give one of "
            "--referral ID, --opportunity ID, --since HOURS or --all.",
        ),
        (["--since=-4"], "--since -4 is no number of hours: give one above 0, such as 48, or use --all."),
        (["--since", "0"], "--since 0 is no number of hours: give one above 0, such as 48, or use --all."),
        (["--since", "nan"], "--since nan is no number of hours: give one above 0, such as 48, or use --all."),
        (["--since", "1e9"], "--since 1e9 is no number of hours: give one above 0, such as 48, or use --all."),
        (["--since", "a day"], "--since a day is no number of hours: give one above 0, such as 48, or use --all."),
        (
            ["--referral", "4111"],
            "'4111' is no id of a referral: give the 36 characters that stand in its address, "
            "such as 7c1d5b52-aaaa-4bbb-8ccc-ddddeeeeffff.",
        ),
    ],
)
def test_what_cannot_be_used_is_one_sentence_with_the_remedy(command: Command, words: list[str], said: str) -> None:
    assert command(*words) == Ran(2, "", said + "\n")


def test_an_unknown_id_is_one_sentence_with_the_remedy(town: Town, command: Command) -> None:
    unknown = str(uuid.uuid4())
    assert command("--opportunity", unknown) == Ran(
        1, "", f"Dynamics 365 has no opportunity {unknown}: check the id, and the connector's right to read it.\n"
    )
    assert command("--referral", unknown) == Ran(
        1,
        "",
        f"Partner Center shows no referral {unknown}: check the id, and that the service user is Referrals admin for "
        "all locations.\n",
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_is_written_over() -> None:
    out = Terminal()
    counter = Counter(out)
    counter.count(Compared("r", None))
    counter.count(Compared("r", None))  # too soon to be drawn again
    counter.clear()
    assert out.getvalue() == "\r\x1b[K1 compared, 0 with a difference …\r\x1b[K"


def test_elsewhere_nothing_is_drawn() -> None:
    out = io.StringIO()
    counter = Counter(out)
    counter.count(Compared("r", None))
    counter.clear()
    assert out.getvalue() == ""
