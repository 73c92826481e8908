"""`$filter`: a small recursive-descent parser that turns the text into a predicate over rows.

Text compares as Dataverse's database does: without case, ignoring trailing blanks. Supported: `eq ne gt ge lt le`,
`and or not`, parentheses, `contains startswith endswith`, paths through lookups, `any`/`all` over child collections and
the functions `ContainValues` and `In` of Microsoft.Dynamics.CRM.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox.dataverse import errors
from sandbox.dataverse.environment import Environment
from sandbox.dataverse.schema import TEXTS, Column, Table
from sandbox.dataverse.store import Ref, Row
from sandbox.dataverse.values import edm_type
from sandbox.tokens import Refusal

type Predicate = Callable[[Row], bool]
type Read = Callable[[Row], Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<date>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_][\w.]*(?:/[A-Za-z_]\w*)*)"
    r"|(?P<mark>[(),:=\[\]]))"
)
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda left, right: left > right,
    "ge": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def compile_filter(env: Environment, table: Table, text: str) -> Predicate:
    """The predicate of a `$filter`; `Refusal` 400 for unknown names, wrong types and bad syntax."""
    parser = _Parser(env, text)
    predicate = parser.either(table, {})
    if parser.peek() is not None:
        raise parser.complaint()
    return predicate


def comparable(column: Column, value: Any) -> Any:
    """A stored value in the form in which two of them compare as the database compares them."""
    if value is None:
        return None
    if isinstance(value, Ref):
        return value.id
    if column.kind in TEXTS:
        return str(value).rstrip().casefold()
    if column.kind == "DateTime":
        return _moment(str(value))
    return value


class _Parser:
    def __init__(self, env: Environment, text: str) -> None:
        self._env = env
        self._text = text
        self._tokens: list[_Token] = []
        self._place = 0
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise self.complaint()
            self._tokens.append(_Token(match.lastgroup, match.group(match.lastgroup)))
            position = match.end()

    def complaint(self) -> Refusal:
        return errors.syntax(f"Syntax error at position {self._place} in '{self._text}'.")

    def peek(self) -> str | None:
        return self._tokens[self._place].text if self._place < len(self._tokens) else None

    def _next(self, kind: str | None = None) -> _Token:
        if self._place >= len(self._tokens) or (kind and self._tokens[self._place].kind != kind):
            raise self.complaint()
        self._place += 1
        return self._tokens[self._place - 1]

    def _expect(self, mark: str) -> None:
        if self._next().text != mark:
            raise self.complaint()

    # boolean structure ----------------------------------------------------------------------------------------------
    def either(self, table: Table, scope: dict[str, Table]) -> Predicate:
        parts = [self._both(table, scope)]
        while self.peek() == "or":
            self._next()
            parts.append(self._both(table, scope))
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _both(self, table: Table, scope: dict[str, Table]) -> Predicate:
        parts = [self._term(table, scope)]
        while self.peek() == "and":
            self._next()
            parts.append(self._term(table, scope))
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _term(self, table: Table, scope: dict[str, Table]) -> Predicate:
        if self.peek() == "not":
            self._next()
            inner = self._term(table, scope)
            return lambda row: not inner(row)
        if self.peek() == "(":
            self._next()
            grouped = self.either(table, scope)
            self._expect(")")
            return grouped
        name = self._next("name").text
        if self.peek() == "(":
            self._next()
            return self._function(name, table, scope)
        return self._comparison(name, table, scope)

    # leaves ---------------------------------------------------------------------------------------------------------
    def _comparison(self, name: str, table: Table, scope: dict[str, Table]) -> Predicate:
        column, read = self._property(name, table, scope)
        operator, token = self._next("name").text, self._next()
        wanted = _literal(column, token, operator)
        if column.kind == "EntityName" and wanted is not None and wanted not in self._env.schema.tables:
            raise Refusal(400, "0x80041102", f"The entity with a name = '{wanted}' was not found in the MetadataCache.")
        if operator == "eq":
            return lambda row: comparable(column, read(row)) == wanted
        if operator == "ne":
            return lambda row: comparable(column, read(row)) != wanted
        if operator not in _COMPARE:
            raise self.complaint()
        compare = _COMPARE[operator]

        def ordered(row: Row) -> bool:
            value = comparable(column, read(row))
            return value is not None and wanted is not None and compare(value, wanted)

        return ordered

    def _function(self, name: str, table: Table, scope: dict[str, Table]) -> Predicate:
        if name in _FUNCTIONS:
            _, read = self._property(self._next("name").text, table, scope)
            self._expect(",")
            part, test = _unquoted(self._next("text").text).casefold(), _FUNCTIONS[name]
            self._expect(")")
            return lambda row: test(str(read(row) or "").casefold(), part)
        path, _, word = name.rpartition("/")
        if word in ("any", "all") and path:
            return self._over_children(path, word, table, scope)
        if name in ("Microsoft.Dynamics.CRM.ContainValues", "Microsoft.Dynamics.CRM.In"):
            return self._among(name, table, scope)
        raise errors.syntax(f"An unknown function with name '{name}' was found.")

    def _over_children(self, path: str, word: str, table: Table, scope: dict[str, Table]) -> Predicate:
        relationship = self._env.schema.collection(table.name, path)
        if relationship is None:
            raise errors.unknown_property(table.name, path)
        child, inner = self._env.schema.tables[relationship.referencing], None
        if self.peek() != ")":
            variable = self._next("name").text
            self._expect(":")
            inner = self.either(child, {**scope, variable: child})
        self._expect(")")

        def test(row: Row) -> bool:
            me = Ref(table.name, row[table.primary_id])
            rows = [r for r in self._env.store.all(child.name).values() if r.get(relationship.column) == me]
            if inner is None:
                return bool(rows)
            return any(map(inner, rows)) if word == "any" else all(map(inner, rows))

        return test

    def _among(self, name: str, table: Table, scope: dict[str, Table]) -> Predicate:
        arguments: dict[str, list[str]] = {}
        while self.peek() != ")":
            argument = self._next("name").text
            self._expect("=")
            arguments[argument] = self._texts()
            if self.peek() == ",":
                self._next()
        self._expect(")")
        if set(arguments) != {"PropertyName", "PropertyValues"} or not arguments["PropertyName"]:
            raise self.complaint()
        column, read = self._property(arguments["PropertyName"][0], table, scope)
        wanted = arguments["PropertyValues"]
        if name.endswith("ContainValues"):
            return lambda row: any(str(choice) in wanted for choice in (read(row) or ()))
        chosen = {text.rstrip().casefold() for text in wanted}
        return lambda row: str(comparable(column, read(row))) in chosen

    def _texts(self) -> list[str]:
        if self.peek() != "[":
            return [_unquoted(self._next("text").text)]
        self._next()
        texts = []
        while self.peek() != "]":
            texts.append(_unquoted(self._next("text").text))
            if self.peek() == ",":
                self._next()
        self._next()
        return texts

    def _property(self, name: str, table: Table, scope: dict[str, Table]) -> tuple[Column, Read]:
        first, _, rest = name.partition("/")
        if rest and first in scope:
            return self._property(rest, scope[first], {})
        if not rest:
            column = table.column_of_property(first)
            if column is None or not column.readable:
                raise errors.unknown_property(table.name, first)
            return column, lambda row: row.get(column.name)
        lookup = table.column_of_navigation(first)
        if lookup is None:
            raise errors.unknown_property(table.name, first)
        target = lookup.navigation[first][0]
        inner_column, inner = self._property(rest, self._env.schema.tables[target], {})

        def follow(row: Row) -> Any:
            ref = row.get(lookup.name)
            related = self._env.store.get(*ref) if ref is not None and ref.table == target else None
            return None if related is None else inner(related)

        return inner_column, follow


def _literal(column: Column, token: _Token, operator: str) -> Any:
    """The literal in comparable form; 400 when its type does not fit the column's."""
    text = token.text
    if token.kind == "name" and text == "null":
        return None
    expected = edm_type(column)
    fits = {
        "text": expected in ("Edm.String", "Edm.Guid"),
        "guid": expected == "Edm.Guid",
        "date": expected in ("Edm.Date", "Edm.DateTimeOffset"),
        "number": expected in ("Edm.Int32", "Edm.Int64", "Edm.Decimal", "Edm.Double"),
        "name": expected == "Edm.Boolean" and text in ("true", "false"),
    }
    if not fits.get(token.kind, False):
        kinds = {"text": "Edm.String", "guid": "Edm.Guid", "date": "Edm.Date", "number": "Edm.Int32"}
        raise errors.syntax(
            "A binary operator with incompatible types was detected. Found operand types"
            f" '{expected}' and '{kinds.get(token.kind, text)}' for operator kind '{operator}'."
        )
    if token.kind == "text":
        return _unquoted(text).rstrip().casefold()
    if token.kind == "guid":
        return text.lower()
    if token.kind == "date":
        try:
            return _moment(text)
        except ValueError as error:
            raise errors.syntax(f"Unrecognized date '{text}'.") from error
    return text == "true" if token.kind == "name" else Decimal(text)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")
