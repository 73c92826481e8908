"""Small forms of text: lengths as Dataverse counts them, cutting, marks before a name, and the audit's lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.domain import marks, texts
from shared.domain.audit import LIMIT, line, prepend, shown

MOON = "🌕"


# -- texts -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "length"), [("", 0), ("abc", 3), ("Größe", 5), (MOON, 2), ("\ud83d", 1)])
def test_units(text: str, length: int) -> None:
    assert texts.units(text) == length


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("  keep  the start", "  keep  the start"),
        ("end \t\r\n ", "end"),
        ("tab\tstays", "tab\tstays"),
        ("bell\x07 and null\x00", "bell and null"),
        (f"{MOON} \ud83d half", f"{MOON} \ufffd half"),
        ("", ""),
    ],
)
def test_normal(text: str, normal: str) -> None:
    assert texts.normal(text) == normal
    assert texts.normal(normal) == normal


def test_one_line() -> None:
    assert texts.one_line(" a\n\tb  c ") == "a b c"


@pytest.mark.parametrize(
    ("text", "limit", "marker", "cut"),
    [
        ("short", 10, "", "short"),
        ("exactly10!", 10, "", "exactly10!"),
        ("one two three", 9, "", "one two"),
        ("onetwothree", 5, "", "onetw"),
        ("one two three four five", 16, "…", "one two three …"),
        ("x" * 50, 20, "…", "x" * 18 + " …"),
        (f"a{MOON}{MOON}", 4, "", f"a{MOON}"),
        (MOON * 10, 5, "", MOON * 2),
        ("abc def", 3, "a long marker", "abc"),
        ("abc def", 0, "…", ""),
    ],
)
def test_cut(text: str, limit: int, marker: str, cut: str) -> None:
    assert texts.cut(text, limit, marker) == cut
    assert texts.units(cut) <= limit


def test_a_cut_far_from_a_word_loses_at_most_forty_characters() -> None:
    text = "word " + "x" * 200
    assert texts.cut(text, 100) == text[:100]


@pytest.mark.parametrize(
    ("whole", "held", "edited", "result"),
    [
        ("abc def ghi", "abc … [continued in a note]", "abc … [continued in a note] new", "abc def ghi\n\nnew"),
        ("abc def ghi", "abc … [continued in a note]", "abc", "abc def ghi"),
        ("abc def ghi", "abc … [continued in a note]", "xyz", "abc def ghi\n\nxyz"),
        ("abc def\n\nnew", "abc … [continued in a note]", "abc … [continued in a note] new", "abc def\n\nnew"),
        ("abc def\n\nnew", "abc … [continued in a note]", "abc new and more", "abc def\n\nnew\n\nand more"),
        ("abc def\n\nnew", "abc … [continued in a note]", "abc newer", "abc def\n\nnew\n\nnewer"),
        ("ends with a", "ends … [continued in a note]", "ends another", "ends with a\n\nanother"),
    ],
)
def test_appended(whole: str, held: str, edited: str, result: str) -> None:
    assert texts.appended(whole, held, edited) == result


# -- marks -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("XX-ray XX", "XX-ray XX"),
        ("✔ Deal", "Deal"), ("✖ Deal", "Deal"), ("✅✔️ Deal ❌", "Deal"), ("  a   b ", "a b"), ("✔", ""),
        (None, ""), ("Deal ✔ done", "Deal ✔ done"), ("Half \ud83d", "Half \ufffd"),
    ],
)  # fmt: skip
def test_strip(name: str | None, bare: str) -> None:
    assert marks.strip(name) == bare
    assert marks.strip(bare) == bare


def test_marked() -> None:
    assert marks.marked("✖ Deal", True, True) == "✔ Deal"
    assert marks.marked("Deal", False, True) == "✖ Deal"
    assert marks.marked("✔ ✔ Deal", True, False) == "Deal"
    assert marks.marked(None, True, True) == "✔ "


@pytest.mark.parametrize("name", ["n" * 300, MOON * 150, "word " * 60], ids=["letters", "emoji", "words"])
def test_a_marked_name_fits_into_the_column(name: str) -> None:
    for ok in (True, False):
        made = marks.marked(name, ok, True)
        assert texts.units(made) <= 300
        assert marks.marked(made, ok, True) == made, "marking again changes nothing"


# -- audit -------------------------------------------------------------------------------------------------------------
AT = datetime(2026, 3, 4, 9, 15, 30, 123, tzinfo=UTC)


def test_a_line() -> None:
    made = line(AT, "CRM>PC", "UPDATE", True, "deal_value 1>2", "7f3a1c55-1111", "4111aaaa-2222")
    assert made == "2026-03-04T09:15:30Z | CRM>PC | UPDATE | OK | deal_value 1>2 | run 7f3a1c55 | ref 4111aaaa"


def test_a_line_without_referral_and_with_line_ends_in_its_text() -> None:
    made = line(AT, "PC>CRM", "CREATE", False, "a\nb\r\nc\u2028d", "run", None)
    assert made == "2026-03-04T09:15:30Z | PC>CRM | CREATE | FAILED | a b c d | run run"
    assert prepend(made, ["new"]).splitlines() == ["new", made]


def test_newest_first() -> None:
    assert prepend(None, ["a"]) == "a"
    assert prepend("b\nc", ["a1", "a2"]) == "a1\na2\nb\nc"


def test_trimmed_from_the_old_end_with_a_remark_once() -> None:
    audit = None
    for number in range(3000):
        audit = prepend(audit, [f"{number} {'x' * 60}"])
    assert audit is not None
    lines = audit.splitlines()
    assert len(audit) <= LIMIT
    assert lines[0].startswith("2999 ")
    assert lines[-1] == "… older entries in the log"
    assert audit.count("older entries") == 1
    assert all(one.endswith("x" * 60) for one in lines[:-1]), "whole lines only"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "(empty)"), ("", "(empty)"), ((), "(empty)"), ("84500.50", "84500.50"), (True, "True"),
        (("SOL-1", "SOL-2"), "SOL-1, SOL-2"), ("x" * 80, "x" * 80),
    ],
    ids=["none", "blank", "no solutions", "amount", "yes", "solutions", "80 characters"],
)  # fmt: skip
def test_shown(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("value", "free"), [("x" * 81, False), ("ada@customer.example", False), ("a word", True), (("a@b.example",), False)]
)
def test_long_and_personal_values_are_shown_as_length_and_hash(value: object, free: bool) -> None:
    text = shown(value, free_text=free)
    assert text.startswith("(")
    assert "characters" in text
    assert not any(part in text for part in ("xxx", "ada", "word", "a@b"))
    assert shown(value, free_text=free) == text, "the same value looks the same"


def test_what_just_fits_is_not_cut() -> None:
    assert texts.cut("one two", 7) == "one two"
    assert texts.cut("one two", 7, texts.CONTINUED) == "one two"
    assert texts.cut("one two", 6) == "one"


def test_a_marker_that_leaves_no_room_is_left_out() -> None:
    longest = len(texts.CONTINUED)
    assert texts.cut("x" * 50, longest, texts.CONTINUED) == "x" * longest
    assert texts.cut("x" * 50, longest + 1, texts.CONTINUED) == f" {texts.CONTINUED}"
    assert texts.cut("x" * 50, longest + 3, texts.CONTINUED) == f"xx {texts.CONTINUED}"


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("a" * 10 + " " + "b" * 60, "a" * 10 + " " + "b" * 39),
        ("a" * 11 + " " + "b" * 60, "a" * 11),
        (" " + "b" * 60, " " + "b" * 49),
        ("a" * 20 + "   " + "b" * 60, "a" * 20),
    ],
    ids=["40 letters back is too far", "39 are near", "nothing before the space", "several spaces"],
)
def test_a_cut_falls_on_a_space_that_is_near(text: str, cut: str) -> None:
    assert texts.cut(text, 50) == cut
    assert texts.cut(text + "b" * 10, 52, "m") == f"{cut} m"


def test_a_word_of_one_letter_may_stand_alone_and_none_may_not() -> None:
    assert texts.cut("a " + "b" * 60, 20) == "a"
    assert texts.cut(" " + "b" * 60, 20) == " " + "b" * 19


def test_an_addition_of_one_letter_is_not_repeated() -> None:
    assert texts.appended("whole\n\nx", "held", "held x") == "whole\n\nx"
    assert texts.appended("whole\n\nx", "held", "held x y") == "whole\n\nx\n\ny"
