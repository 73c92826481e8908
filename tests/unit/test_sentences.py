"""What a seller reads: every language has the same sentences with the same values."""

from __future__ import annotations

from string import Formatter

import pytest

from shared.domain.languages import en
from shared.domain.sentences import ANY_REFUSAL, ENGLISH, LANGUAGES, Note, Sentences, Value, outcome

VALUES: dict[str, Value] = {
    "name": 'Northgate {Foods} "AS"', "missing": ("street", "email"), "pc": ("won",), "crm": ("lost",), "count": 7,
}  # fmt: skip
"""Of the kind that the code gives; any other value is text."""


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def note(key: str, text: str) -> Note:
    code, _, case = key.partition(".") if key[:1].isupper() else ("", "", key)
    return Note(code, {name: VALUES.get(name, f"<{name}>") for name in placeholders(text)}, case)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_sentences_with_the_same_values(language: str) -> None:
    found = LANGUAGES[language]
    assert found.sentences.keys() == en.SENTENCES.keys()
    assert list(found.sentences) == list(en.SENTENCES), "in one order, so that they can be read side by side"
    differing = [key for key, text in found.sentences.items() if placeholders(text) != placeholders(en.SENTENCES[key])]
    assert differing == []
    assert list(found.words) == list(en.WORDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_sentence_renders_as_one_line_of_an_audit(language: str) -> None:
    for key, text in LANGUAGES[language].sentences.items():
        said = LANGUAGES[language].sentence(note(key, text))
        assert said == " ".join(said.split()) != "", key
        assert all(f"<{name}>" in said or name in VALUES for name in placeholders(text)), key
        assert ("{Foods}" in said) is ("name" in placeholders(text)), key
        assert "|" not in said, f"{key}: a stroke stands between the columns of an audit line"
        assert not said.endswith("."), key


@pytest.mark.parametrize("language", sorted(LANGUAGES.keys() - {"en"}))
def test_nothing_is_left_in_english(language: str) -> None:
    """Names of columns and of the two systems may be all that reads alike."""
    alike = [
        key for key, text in LANGUAGES[language].sentences.items() if text.casefold() == en.SENTENCES[key].casefold()
    ]
    assert alike == (["status_sent"] if language == "de" else [])


# -- rendering ---------------------------------------------------------------------------------------------------------
def test_a_note_reads_as_code_and_sentence() -> None:
    made = Note("TEAM_REQUIRED", {"missing": ("first_name", "phone")}, "incomplete")
    assert made.key == "TEAM_REQUIRED.incomplete"
    assert made.sentence == "the owner has no first name and no phone"
    assert str(made) == "TEAM_REQUIRED: the owner has no first name and no phone"
    assert LANGUAGES["de"].told([made]) == "TEAM_REQUIRED: beim Besitzer fehlt: Vorname, Telefon"
    assert LANGUAGES["fr"].told([made]) == "TEAM_REQUIRED: il manque au propriétaire : prénom, téléphone"


def test_an_outcome_has_no_code_and_stands_beside_what_reads_alike_everywhere() -> None:
    made = outcome("status_sent", status="Closed", substatus="Won")
    assert made == Note("", {"status": "Closed", "substatus": "Won"}, "status_sent")
    assert str(made) == "status Closed/Won"
    parts = ["deal_value 1>2", made, Note("WON_BEFORE_72H")]
    assert LANGUAGES["fr"].told(parts) == (
        "deal_value 1>2; état Closed/Won; WON_BEFORE_72H: gagnée moins de 72 heures après sa création ; "
        "elle pourrait ne pas donner droit aux incitations"
    )
    assert ENGLISH.told([]) == ""


def test_a_refusal_that_a_mapping_file_made_up_has_a_sentence_too() -> None:
    made = Note("OUR_RULE", {"field": "region"})
    assert str(made) == "OUR_RULE: region cannot be changed any more"
    assert LANGUAGES["de"].told([made]) == "OUR_RULE: region lässt sich nicht mehr ändern"


def test_values_are_never_taken_for_placeholders() -> None:
    made = Sentences({"A": "{a} and {b}", ANY_REFUSAL: ""}, {"x": "X", "y": "Y"}, "+")
    assert made.sentence(Note("A", {"a": "{b}", "b": ("x", "y")})) == "{b} and X+Y"
    assert made.sentence(Note("A", {"a": 3, "b": ()})) == "3 and "
