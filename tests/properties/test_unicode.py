"""Any text there is: lengths, marks, fingerprints, audit lines and messages hold for all of Unicode."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import marks, markup, texts
from shared.domain.audit import line, prepend, shown
from shared.domain.referral import Referral
from shared.domain.state import SyncState, fingerprint, parse
from tests.unit import pairs

ANY = st.text(st.characters(exclude_categories=()), max_size=300)
"""Lone surrogates and control characters included: JSON can carry both."""
HTML = st.lists(
    st.sampled_from(
        ("<p>", "</p>", "<br>", "<b x='", "'>", "</b>", "<script>", "</script>", "<!--", "-->", "<![if", "<![x", "]>",
         "<?xml", "<!doctype", "&lt;", "&gt;", "&amp;", "&#", "&#xd800;", "&nbsp;", "<none>", "<", ">", "\"", "\n", " ")
    )
    | st.text(max_size=3),
    max_size=20,
).map("".join)  # fmt: skip
"""Tags, halves of tags and what else confuses a parser."""
repeatable = settings(derandomize=True, database=None, max_examples=250, deadline=None)


@repeatable
@given(ANY)
def test_a_normal_text_is_a_fixed_point_and_can_be_encoded(text: str) -> None:
    normal = texts.normal(text)
    assert texts.normal(normal) == normal
    normal.encode()
    assert "\r" not in normal


@repeatable
@given(HTML | ANY)
def test_the_text_of_anything_is_text(text: str) -> None:
    normal = texts.normal(text)
    made = markup.to_text(normal)
    assert not markup.is_html(made)
    assert markup.to_text(made) == made == texts.normal(made)
    assert made == normal or (markup.is_html(normal) and len(made) < len(normal))


@repeatable
@given(ANY, st.integers(0, 60), st.sampled_from(["", "…", texts.CONTINUED]))
def test_a_cut_text_fits_and_is_a_beginning(text: str, limit: int, marker: str) -> None:
    cut = texts.cut(text, limit, marker)
    assert texts.units(cut) <= limit
    assert text.startswith(cut.removesuffix(marker).rstrip())
    assert texts.cut(cut, limit, marker) == cut


@repeatable
@given(ANY, st.booleans())
def test_a_marked_name_fits_and_comes_back(name: str, ok: bool) -> None:
    made = marks.marked(name, ok, True)
    assert texts.units(made) <= 300
    made.encode()
    assert marks.marked(made, ok, True) == made
    assert texts.cut(marks.strip(name), marks.ROOM) == marks.strip(made) or marks.strip(
        marks.strip(made)
    ) == marks.strip(made)


@repeatable
@given(st.text(max_size=300) | st.lists(st.text(max_size=20), max_size=5).map(tuple), st.text(max_size=300))
def test_fingerprints_tell_texts_apart_and_survive_the_column(value: Any, other: str) -> None:
    assert (fingerprint(value) == fingerprint(other)) == ((value or None) == (other or None))
    state = SyncState(told={"A": other}).with_seen({"field": (value, other)})
    assert parse(state.to_json()) == state


@repeatable
@given(ANY, st.lists(ANY, max_size=3))
def test_audit_lines_are_lines(text: str, more: list[str]) -> None:
    made = line(datetime(2026, 1, 1, tzinfo=UTC), "CRM>PC", "UPDATE", True, text, "run", None)
    assert len(made.splitlines()) == 1
    audit = prepend(None, [made])
    for one in more:
        audit = prepend(audit, [line(datetime(2026, 1, 1, tzinfo=UTC), "CRM>PC", "UPDATE", True, one, "run", None)])
    assert len(audit.splitlines()) == 1 + len(more)
    assert audit.splitlines()[-1] == made


@repeatable
@given(st.text(max_size=200))
def test_free_text_never_shows(text: str) -> None:
    made = shown(text, free_text=True)
    assert made == "(empty)" if not text else made.startswith(f"({len(text)} characters, ")


@repeatable
@given(ANY, ANY)
def test_a_referral_of_any_text_can_be_written_down(name: str, notes: str) -> None:
    wire = json.dumps(pairs.document({"name": name, "details.notes": notes, "customerProfile.name": notes}))
    found = Referral.model_validate(json.loads(wire))
    known, row = pairs.terms(), pairs.opportunity()
    pairs.in_step(found, row, known).to_json().encode()
    (found.name or "").encode()
    (found.details.notes or "").encode()
