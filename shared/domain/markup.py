"""Rich text as plain text: some CRMs keep HTML in the description, Partner Center shows text as it is. Pure.

A text counts as HTML only when an element of HTML is opened and closed in it, or when it holds a line break, a rule or
a picture: `a < b`, `<none>` and `a <b and c> d` are somebody's words and stay. Within HTML, too, what is no tag stays.
White space counts as in a browser, unless no tag breaks lines. Which fields are read so: `shared.domain.rules_text`.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from shared.domain import texts

_ALONE = ("br", "hr", "img")
"""Elements without an end."""
_HIDDEN = ("head", "script", "style", "title")
"""Elements whose content nobody reads."""
_CELLS = ("td", "th")
_BLOCKS = (
    "address", "article", "blockquote", "body", "caption", "center", "dd", "div", "dl", "dt", "footer", "form", "h1",
    "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main", "ol", "p", "pre", "section", "table", "tbody",
    "tfoot", "thead", "tr", "ul",
)  # fmt: skip
"""Elements that stand on lines of their own."""
_INLINE = (
    "a", "abbr", "b", "big", "cite", "code", "del", "em", "figure", "font", "i", "ins", "kbd", "label", "mark", "q",
    "s", "small", "span", "strike", "strong", "sub", "sup", "tt", "u",
)  # fmt: skip
_NAMES = "|".join((*_ALONE, *_HIDDEN, *_CELLS, *_BLOCKS, *_INLINE))
_TAG = re.compile(rf"""<(/?)({_NAMES})(?=[\s/>])(?:[^<>"']|"[^"]*"|'[^']*')*+>""", re.IGNORECASE)
_NO_TAG = re.compile(f"<(?!/?(?:{_NAMES})>)")
_BREAK = re.compile(f"</?(?:{'|'.join(('br', *_BLOCKS))})>")
_HIDER = re.compile(f"</?(?:{'|'.join(_HIDDEN)})>")
_ASIDE = re.compile(r"<(?:!doctype|\?xml|!\[(?:end)?if)\b[^<>]*>", re.IGNORECASE)
"""Declarations, and what word processors leave behind."""


def to_text(text: str) -> str:
    """The text of what is HTML; anything else unchanged, and so is whatever came out of here."""
    while is_html(text):  # shorter each time: HTML may be written out within HTML
        text = texts.normal(_without_tags(text))
    return text


def is_html(text: str) -> bool:
    """Whether it is HTML rather than text with angle brackets."""
    opened = set()
    for tag in _TAG.finditer(text):
        name = tag[2].lower()
        if name in _ALONE or (tag[1] and name in opened):
            return True
        if not tag[1]:
            opened.add(name)
    return False


def _without_tags(text: str) -> str:
    """One layer of HTML less; the parser meets bare tags and text only, so that nothing can surprise it."""
    text = _TAG.sub(lambda tag: f"<{tag[1]}{tag[2].lower()}>", _ASIDE.sub("", _without(text, "<!--", "-->")))
    for name in _HIDDEN:
        text = _without(text, f"<{name}>", f"</{name}>")
    text = _HIDER.sub("", text)
    text = text.replace("\n", " " if _BREAK.search(text) else "<br>")
    lines = _Lines()
    lines.feed(_NO_TAG.sub("&lt;", text))
    lines.close()
    return lines.text()


def _without(text: str, start: str, end: str) -> str:
    """The text without what stands between these two; what is not closed stays."""
    kept, rest = [], 0
    while (begin := text.find(start, rest)) != -1 and (close := text.find(end, begin + len(start))) != -1:
        kept.append(text[rest:begin])
        rest = close + len(end)
    return "".join((*kept, text[rest:]))


class _Lines(HTMLParser):
    """Collects lines: a block begins and ends one, a break ends one even if it is empty."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._line = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "br":
            self._end_line()
        elif tag in _BLOCKS:
            self._end_block()
        elif tag in _CELLS:
            self._line += " "

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._end_block()

    def handle_data(self, data: str) -> None:
        self._line += data

    def text(self) -> str:
        self._end_block()
        return "\n".join(self._lines).strip()

    def _end_block(self) -> None:
        if self._line.strip(" \t\n"):  # a space that may not break makes an empty line
            self._end_line()

    def _end_line(self) -> None:
        self._lines.append(" ".join(self._line.split()))
        self._line = ""
