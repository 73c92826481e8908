"""Which country a text means: strictly, leniently, as a suggestion; and that every place reads it alike."""

from __future__ import annotations

import pytest

from shared.domain import countries, outgoing
from shared.domain.countries import suggestion
from shared.domain.required import violations
from shared.domain.rules import RULES
from tests.unit import pairs

STRICT, LENIENT = pairs.terms(), pairs.terms(country_lenient=True)


@pytest.mark.parametrize(
    ("text", "code"),
    [("germany", "DE"), (" DEU ", "DE"), ("UK", "GB"), ("united kingdom", "GB"), ("Åland Islands", "AX"),
     ("ÅLAND ISLANDS", "AX"), ("United States of America", "US"), ("Atlantis", None), ("", None), ("D", None)],
)  # fmt: skip
def test_suggestions(text: str, code: str | None) -> None:
    assert suggestion(text, pairs.terms()) == code


@pytest.mark.parametrize(
    ("text", "strict", "lenient"),
    [("de", "DE", "DE"), (" nO ", "NO", "NO"), ("Germany", None, "DE"), ("deu", None, "DE"), ("UK", None, "GB"),
     ("xx", None, None), ("Atlantis", None, None), ("", None, None), (None, None, None)],
)  # fmt: skip
def test_the_code_a_text_stands_for(text: str | None, strict: str | None, lenient: str | None) -> None:
    assert countries.code(text, STRICT) == strict
    assert countries.code(text, LENIENT) == lenient


@pytest.mark.parametrize(
    ("text", "strict", "lenient"),
    [("de", "DE", "DE"), (" Germany ", "GERMANY", "DE"), (" Atlantis ", "ATLANTIS", "ATLANTIS"), (None, "", "")],
)
def test_what_nobody_can_read_stays_as_it_is(text: str | None, strict: str, lenient: str) -> None:
    assert countries.as_read(text, STRICT) == strict
    assert countries.as_read(text, LENIENT) == lenient


@pytest.mark.parametrize("text", ["Germany", "DEU", "uk", "de", "Atlantis"])
def test_what_is_asked_sent_and_written_agrees(text: str) -> None:
    """Whatever passes as complete goes out as a code, and comes in as the same."""
    row = pairs.opportunity(account={**pairs.ACCOUNT, "address1_country": text})
    sent = outgoing.own_body(row, LENIENT)["customerProfile"]["address"]["country"]
    taken = {violation.note.code for violation in violations(row, LENIENT)} == set()
    assert taken is (sent in LENIENT.mapping.countries)
    line = next(line for line in LENIENT.mapping.account if line.rule == "country")
    referral = pairs.referral({"customerProfile.address": {"country": text}})
    assert RULES["country"].from_referral(referral, line, LENIENT) == sent


def test_the_country_list_is_whole_and_unambiguous() -> None:
    countries = pairs.mapping().countries
    assert len(countries) == 249
    assert all(len(code) == 2 and code.isupper() and code.isascii() for code in countries)
    assert all(len(names[0]) == 3 and names[0].isupper() for names in countries.values())
    names = [name.casefold() for known in countries.values() for name in known]
    assert len(names) == len(set(names)), "one name suggests one code"
