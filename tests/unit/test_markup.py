"""HTML in the CRM's description: what counts as HTML, and the text that is left of it."""

from __future__ import annotations

import pytest

from shared.domain import markup, texts
from shared.domain.outgoing import own_body
from shared.domain.plan import Plan, merge
from shared.domain.state import SyncState
from tests.unit import pairs

RICH = '<div class="ck-content" dir="ltr"><p style="margin:0">Pilot in two <b>warehouses</b> first.</p></div>'
"""The pair's own notes as an editor of the CRM writes them."""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a < b",
        "a <b and c> d",
        "<none>",
        "write to <ingrid@northgate.example>",
        "<p>never closed",
        "<p>opened <p>twice",
        "closed </p> only",
        "</b> closed before <b> it is opened",
        "AT&amp;T",
        "<bold>x</bold>",
        '<p title="never closed>x</p',
        "<!-- nobody's comment -->",
        "5 > 3 and <\nb>",
    ],
)
def test_words_stay(text: str) -> None:
    assert not markup.is_html(text)
    assert markup.to_text(text) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("<p>One</p><p>Two</p>", "One\nTwo", id="paragraphs"),
        pytest.param("<div><p>One</p></div><div>Two</div>", "One\nTwo", id="blocks in blocks"),
        pytest.param("One<br>Two<br/>Three<BR />Four", "One\nTwo\nThree\nFour", id="breaks"),
        pytest.param("<p>One<br></p><p>Two</p>", "One\nTwo", id="a break at the end of a paragraph is none"),
        pytest.param("One<br><br>Two", "One\n\nTwo", id="an empty line"),
        pytest.param("<p>One</p><p>&nbsp;</p><p><br></p><p></p><p>Two</p>", "One\n\n\nTwo", id="empty paragraphs"),
        pytest.param("<br><p>One</p><br>", "One", id="no empty lines around"),
        pytest.param("<ul>\n  <li>One</li>\n  <li><p>Two</p></li>\n</ul>", "One\nTwo", id="a list"),
        pytest.param("<table><tr><th>A</th><td>B</td></tr><tr><td>C</td></tr></table>", "A B\nC", id="a table"),
        pytest.param("Before<h1>Title</h1>after", "Before\nTitle\nafter", id="text around a block"),
        pytest.param("<p>One\n  two\t three</p>", "One two three", id="white space of the source"),
        pytest.param("one\n<b>two</b>\n\nthree", "one\ntwo\n\nthree", id="line ends where no tag breaks lines"),
        pytest.param("<p>one</p>\ntwo", "one\ntwo", id="a line end between blocks"),
        pytest.param("a<b>b</b>c <i>d</i>", "abc d", id="inline"),
        pytest.param("<p>R&amp;D&nbsp;&lt;5&#37; &eacute;&copy</p>", "R&D <5% é©", id="entities"),
        pytest.param("<P>X</P>", "X", id="capitals"),
        pytest.param("</br>One", "One", id="an end that browsers forgive"),
        pytest.param("One<hr>Two", "One\nTwo", id="a rule"),
        pytest.param('One <img src="x"> two', "One two", id="a picture"),
        pytest.param("<a title='a > b' href=\"c > d\">One</a>", "One", id="brackets in attributes"),
        pytest.param("<p>to <jo@x.example> and <none> & 1 < 2</p>", "to <jo@x.example> and <none> & 1 < 2", id="words"),
        pytest.param("<p>a <b</p>", "a <b", id="a tag cut short"),
        pytest.param("<style>p { x: 1 }</style><p>One</p><script>'</p>' < 2</script>", "One", id="script and style"),
        pytest.param("<head><title>T</title></head><body>One</body>", "One", id="the head"),
        pytest.param("<script>is <b>blocked</b></script>!<br>", "!", id="tags in a script"),
        pytest.param("<script> is <b>blocked</b>", "is blocked", id="a script that never ends"),
        pytest.param("<!doctype html><?xml version='1.0'?><p><![if x]>One<![endif]></p>", "One", id="declarations"),
        pytest.param("<p>One<!-- <p>two</p> -->, <!-- and -->three</p>", "One, three", id="comments"),
        pytest.param("<p>One <!-- two</p>", "One <!-- two", id="a comment that never ends"),
        pytest.param("<p>One<!-- x --> <!-- two</p>", "One <!-- two", id="behind one that does"),
        pytest.param("<p>One</p><![foo bar]>", "One\n<![foo bar]>", id="what only looks like a declaration"),
        pytest.param("<p>&lt;b&gt;One&lt;/b&gt;</p>", "One", id="HTML written out in HTML"),
        pytest.param("<p>&#1;One&#13;&#10;</p>", "One", id="characters no column holds"),
        pytest.param("<p>&nbsp;</p>", "", id="nothing"),
    ],
)
def test_text_of_html(html: str, text: str) -> None:
    assert markup.is_html(html)
    assert markup.to_text(html) == text
    assert markup.to_text(text) == text


def test_every_name_that_counts_is_an_element() -> None:
    """Each is known by its own: a word in brackets that is none of these stays."""
    for name in ("address", "blockquote", "body", "center", "dd", "dl", "dt", "footer", "form", "h2", "h6", "header",
                 "html", "ol", "pre", "section", "tbody", "tfoot", "thead"):  # fmt: skip
        assert markup.to_text(f"a<{name}>b</{name}>c") == "a\nb\nc", name
    for name in ("abbr", "big", "cite", "code", "del", "em", "figure", "font", "ins", "kbd", "label", "mark", "q", "s",
                 "small", "span", "strike", "strong", "sub", "sup", "tt", "u"):  # fmt: skip
        assert markup.to_text(f"a<{name} x=1>b</{name}>c") == "abc", name


# -- in the merge ------------------------------------------------------------------------------------------------------
def _base() -> SyncState:
    return pairs.in_step(pairs.referral(), pairs.opportunity({"description": RICH}), pairs.terms())


@pytest.mark.parametrize("state", [_base(), SyncState()], ids=["known pair", "new pair"])
def test_markup_alone_is_no_difference(state: SyncState) -> None:
    plan = merge(state, pairs.referral(), pairs.opportunity({"description": RICH}), pairs.terms())
    assert (plan.to_crm, plan.to_pc) == ((), ())


def test_bolder_words_are_no_change() -> None:
    edited = RICH.replace("Pilot", "<i>Pilot</i>")
    assert merge(_base(), pairs.referral(), pairs.opportunity({"description": edited}), pairs.terms()) == Plan()
    marked = pairs.referral({"details.notes": "<p>Pilot in two warehouses first.</p>"})
    assert merge(_base(), marked, pairs.opportunity({"description": RICH}), pairs.terms()) == Plan()


def test_a_sellers_words_travel_as_text() -> None:
    edited = pairs.opportunity({"description": RICH + "<p>Then R&amp;D.</p>"})
    (change,) = merge(_base(), pairs.referral(), edited, pairs.terms()).to_pc
    assert change.new == "Pilot in two warehouses first.\nThen R&D."


def test_new_words_of_partner_center_replace_the_rich_text() -> None:
    news = pairs.referral({"details.notes": "All is new: 1 < 2."})
    (change,) = merge(_base(), news, pairs.opportunity({"description": RICH}), pairs.terms()).to_crm
    assert change.new == "All is new: 1 < 2."


def test_rich_text_without_words_is_an_emptied_one() -> None:
    emptied = pairs.opportunity({"description": "<div><p>&nbsp;</p></div>"})
    (change,) = merge(_base(), pairs.referral(), emptied, pairs.terms()).to_pc
    assert change.new is None


def test_a_shortened_text_in_an_editors_paragraph_is_still_ours() -> None:
    known, whole = pairs.terms(), "word " * 900
    held = texts.cut(texts.normal(whole), 2000, texts.CONTINUED)
    found = pairs.referral({"details.notes": whole})
    base = pairs.in_step(found, pairs.opportunity({"description": held}), known)
    assert merge(base, found, pairs.opportunity({"description": f"<p>{held}</p>"}), known) == Plan()


def test_a_new_referral_gets_the_text() -> None:
    assert (
        own_body(pairs.opportunity({"description": RICH}), pairs.terms())["details"]["notes"]
        == "Pilot in two warehouses first."
    )
