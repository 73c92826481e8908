"""What Dataverse's metadata say of tables: which type a column has, how long it may be, which choices it offers.

Read once per table and kept for the life of the process. `kinds` is the cheap half (one request), which reading rows
needs to tell dates from text; `columns` is the full answer of the port.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from shared.clients.dataverse_query import Kinds
from shared.clients.odata import query
from shared.errors import ConfigurationError, NotFound
from shared.ports import Column

_KIND = "LogicalName,AttributeType"


class Metadata:
    """`get` answers a path below the Web API's root with a JSON object."""

    def __init__(self, get: Callable[[str], Mapping[str, Any]]) -> None:
        self._get = get
        self._lock = threading.Lock()
        self._kinds: dict[str, Kinds] = {}
        self._columns: dict[str, Mapping[str, Column]] = {}

    def kinds(self, table: str) -> Kinds:
        """Column → AttributeType (String, Money, DateTime, …)."""
        with self._lock:
            if table not in self._kinds:
                found = self._attributes(table, "", _KIND)
                self._kinds[table] = {str(item["LogicalName"]): str(item["AttributeType"]) for item in found}
            return self._kinds[table]

    def columns(self, table: str) -> Mapping[str, Column]:
        """All columns of the table."""
        kinds = self.kinds(table)
        with self._lock:
            if table not in self._columns:
                self._columns[table] = self._read(table, kinds)
            return self._columns[table]

    def _read(self, table: str, kinds: Kinds) -> Mapping[str, Column]:
        lengths: dict[str, int] = {}
        for kind in ("String", "Memo"):
            for item in self._attributes(table, kind, "LogicalName,MaxLength"):
                lengths[str(item["LogicalName"])] = int(item["MaxLength"])
        options: dict[str, Mapping[int, str]] = {}
        for kind in ("Picklist", "State", "Status"):
            for item in self._attributes(table, kind, "LogicalName", "OptionSet($select=Options)"):
                options[str(item["LogicalName"])] = _options(item)
        return {name: Column(name, kind, lengths.get(name), options.get(name, {})) for name, kind in kinds.items()}

    def _attributes(self, table: str, kind: str, select: str, expand: str = "") -> list[dict[str, Any]]:
        cast = f"/Microsoft.Dynamics.CRM.{kind}AttributeMetadata" if kind else ""
        options = {"select": select} | ({"expand": expand} if expand else {})
        try:
            answer = self._get(f"/EntityDefinitions(LogicalName='{table}')/Attributes{cast}{query(options)}")
        except NotFound:
            raise ConfigurationError(
                "DV_TABLE",
                f"This Dynamics 365 environment has no table {table}.",
                "Install Dynamics 365 Sales and the connector's tables there.",
            ) from None
        return list(answer["value"])


def _options(item: Mapping[str, Any]) -> Mapping[int, str]:
    found = (item.get("OptionSet") or {}).get("Options") or []
    return {int(option["Value"]): _label(option.get("Label") or {}) for option in found}


def _label(label: Mapping[str, Any]) -> str:
    user = (label.get("UserLocalizedLabel") or {}).get("Label")
    first = next((item.get("Label") for item in label.get("LocalizedLabels") or []), None)
    return str(user or first or "")
