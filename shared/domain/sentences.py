"""What a seller reads: notes with a stable code, and the language they are read in. Pure.

A note names its sentence and carries the values in it; the words stand in `shared.domain.languages`, one module per
language. A decision makes notes; whoever writes an audit line lets `Sentences.told` render them (`Terms.sentences`).
What the connector remembers of a note, and what operators read of it in the log, is the English sentence: it must not
depend on a setting. To speak to each record's owner in their own language, only that choice would come from the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.domain.languages import de, en, fr

type Value = str | int | tuple[str, ...]
"""Text and numbers are shown as they are; a tuple holds words of the catalogue."""
ANY_REFUSAL = "*"
"""The sentence of a refusal whose code a mapping file of the user's own made up."""


@dataclass(frozen=True)
class Note:
    """Something a seller should read; `case` tells the sentences of one code apart. An outcome has no code."""

    code: str
    values: Mapping[str, Value] = field(default_factory=dict)
    case: str = ""

    @property
    def key(self) -> str:
        """Where the catalogues hold its sentence."""
        return ".".join(filter(None, (self.code, self.case)))

    @property
    def sentence(self) -> str:
        """In English."""
        return ENGLISH.sentence(self)

    def __str__(self) -> str:
        return ENGLISH.told((self,))


def outcome(case: str, **values: Value) -> Note:
    """What was done, where nothing is to be noted: a sentence without a code."""
    return Note("", values, case)


@dataclass(frozen=True)
class Sentences:
    """One language: sentences by the notes' keys, words by name, and what stands between two words."""

    sentences: Mapping[str, str]
    words: Mapping[str, str]
    between: str

    def sentence(self, note: Note) -> str:
        """The note's sentence without its code."""
        text = self.sentences.get(note.key, self.sentences[ANY_REFUSAL])
        return text.format_map({name: self._shown(value) for name, value in note.values.items()})

    def told(self, parts: Iterable[str | Note]) -> str:
        """Notes, and what reads alike in every language, as the text of one audit line."""
        return "; ".join(part if isinstance(part, str) else self._coded(part) for part in parts)

    def _coded(self, note: Note) -> str:
        return ": ".join(filter(None, (note.code, self.sentence(note))))

    def _shown(self, value: Value) -> str:
        return self.between.join(self.words[word] for word in value) if isinstance(value, tuple) else str(value)


ENGLISH = Sentences(en.SENTENCES, en.WORDS, en.BETWEEN)
LANGUAGES: Mapping[str, Sentences] = {
    "en": ENGLISH,
    "de": Sentences(de.SENTENCES, de.WORDS, de.BETWEEN),
    "fr": Sentences(fr.SENTENCES, fr.WORDS, fr.BETWEEN),
}
"""By the names that the setting `SELLER_LANGUAGE` takes."""
