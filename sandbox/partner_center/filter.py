"""The `$filter` expressions the referrals API is known to understand, parsed and turned into a test on a document.

Grammar: `or` of `and` of comparisons, parentheses, `not`, and `team/any(t:t/email eq '…')`. Operators eq, ne, gt, ge,
lt, le. Only properties that some source shows as filterable exist here; everything else is the API's 400. GUIDs may be
quoted or not, since the documentation does one and the service's own links the other.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.partner_center.quirks import Quirks
from sandbox.partner_center.schema import invalid
from sandbox.partner_center.stamps import moment
from sandbox.partner_center.store import Document

type Test = Callable[[Document], bool]

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<sign>[(),:])|(?P<word>[^\s'(),:]+(?::[^\s'(),]+)*))")
_MOST_TOKENS = 400
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TEXT = {
    "engagementId": ("engagementId",),
    "status": ("status",),
    "substatus": ("substatus",),
    "direction": ("direction",),
    "qualification": ("qualification",),
    "type": ("type",),
    "customerProfile/address/country": ("customerProfile", "address", "country"),
    "externalReferenceId": ("externalReferenceId",),
}
_TIME = "updatedDateTime"
_MEMBER = re.compile(r"(?P<variable>\w+)/email")


@dataclass(frozen=True)
class Filter:
    """`test` decides on one document; `engagements` are the engagement ids the expression names with `eq`."""

    test: Test
    engagements: frozenset[str]


def parse(expression: str, quirks: Quirks) -> Filter:
    """`Refusal` 400 with the API's wording when the expression is not understood."""
    parser = _Parser(_tokens(expression), quirks)
    test = parser.either()
    parser.expect_end()
    return Filter(test, frozenset(parser.engagements))


def _tokens(expression: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    while position < len(expression.rstrip()):
        match = _TOKEN.match(expression, position)
        if match is None or match.end() == position:
            raise _refusal(f"Syntax error at position {position} in '{expression}'.")
        tokens.append(match.group().strip())
        position = match.end()
    if len(tokens) > _MOST_TOKENS:
        raise _refusal("The node count limit of the filter has been exceeded.")
    return tokens


class _Parser:
    def __init__(self, tokens: list[str], quirks: Quirks) -> None:
        self._tokens = tokens
        self._next = 0
        self._quirks = quirks
        self.engagements: set[str] = set()

    def either(self) -> Test:
        tests = [self._both()]
        while self._accept("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda document: any(test(document) for test in tests)

    def expect_end(self) -> None:
        if self._next < len(self._tokens):
            raise _refusal(f"Unexpected '{self._tokens[self._next]}' in the filter.")

    def _both(self) -> Test:
        tests = [self._one()]
        while self._accept("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda document: all(test(document) for test in tests)

    def _one(self) -> Test:
        if self._accept("not"):
            test = self._one()
            return lambda document: not test(document)
        if self._accept("("):
            test = self.either()
            self._expect(")")
            return test
        name = self._take()
        if name == "team/any":
            return self._any_member()
        return self._comparison(name)

    def _any_member(self) -> Test:
        self._expect("(")
        declared, _, rest = self._take().partition(":")
        if not rest:  # written with spaces around the colon
            self._expect(":")
            rest = self._take()
        match = _MEMBER.fullmatch(rest)
        if match is None or match["variable"] != declared:
            raise _refusal(f"'{rest}' is not a property of a team member that can be filtered.")
        self._expect("eq")
        email = self._literal()
        self._expect(")")
        return _has_member(email)

    def _comparison(self, name: str) -> Test:
        sign = self._take()
        if sign not in _COMPARE:
            raise _refusal(f"The operator '{sign}' is not supported.")
        compare = _COMPARE[sign]
        if name == "email" and sign == "eq":
            return _has_member(self._literal())
        if name == _TIME:
            return self._time_comparison(compare)
        if name not in _TEXT or (name == "externalReferenceId" and not self._quirks.external_reference_filter):
            raise _refusal(f"The property '{name}' cannot be used in the $filter query option.")
        if sign not in ("eq", "ne"):
            raise _refusal(f"The operator '{sign}' is not supported for '{name}'.")
        wanted = self._literal().lower()
        if name == "engagementId" and sign == "eq":
            self.engagements.add(wanted)
        path = _TEXT[name]
        return lambda document: compare(str(_at(document, path) or "").lower(), wanted)

    def _time_comparison(self, compare: Callable[[Any, Any], bool]) -> Test:
        token = self._take()
        quoted = token.startswith("'")
        accepted = self._quirks.date_literals
        if accepted == "refused" or accepted == ("unquoted" if quoted else "quoted"):
            raise _refusal("A binary operator with incompatible types was detected on updatedDateTime.")
        try:
            wanted = moment(_unquoted(token))
        except ValueError as error:
            raise _refusal(f"'{token}' is not a date-time.") from error
        return lambda document: compare(moment(document[_TIME]), wanted)

    def _literal(self) -> str:
        token = self._take()
        if token == "null":
            return ""
        return _unquoted(token)

    def _take(self) -> str:
        if self._next >= len(self._tokens):
            raise _refusal("The filter ends too early.")
        self._next += 1
        return self._tokens[self._next - 1]

    def _accept(self, token: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next] == token:
            self._next += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise _refusal(f"'{token}' is missing in the filter.")


def _has_member(email: str) -> Test:
    wanted = email.lower()
    return lambda document: any((member["email"] or "").lower() == wanted for member in document["team"])


def _at(document: Document, path: tuple[str, ...]) -> Any:
    value: Any = document
    for name in path:
        value = value[name]
    return value


def _unquoted(token: str) -> str:
    return token[1:-1].replace("''", "'") if token.startswith("'") else token


def _refusal(message: str) -> Exception:
    return invalid(message, "$filter")
