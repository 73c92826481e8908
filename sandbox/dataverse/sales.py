"""What the Sales application does by itself when a row is written: names, customers, revenue, currency.

Pure functions on rows before they are stored; `writes` calls them. Closing and qualifying are in `actions`.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.dataverse.environment import Environment
from sandbox.dataverse.schema import Table
from sandbox.dataverse.store import Ref, Row
from sandbox.tokens import Refusal

_PEOPLE = ("contact", "lead", "systemuser")
_SECRETS = {"saskey": "issaskeyset", "sastoken": "issastokenset", "authvalue": "isauthvalueset"}


def complete(
    env: Environment, table: Table, row: dict[str, Any], sent: Collection[str], before: Row | None
) -> set[str]:
    """Fill in what follows from the sent columns; the names of the columns that were calculated along with them."""
    calculated: set[str] = set()
    if table.name in _PEOPLE and not {"firstname", "lastname", "middlename"}.isdisjoint(sent):
        parts = (row.get("firstname"), row.get("middlename"), row.get("lastname"))
        row["fullname"] = " ".join(part for part in parts if part) or None
        calculated.add("fullname")
    if table.name == "opportunity":
        calculated |= _customer(row, sent)
        if before is not None:
            _check_currency(env, row, before)
        if row.get("isrevenuesystemcalculated"):
            row["estimatedvalue"] = row.get("totalamount", Decimal(0))
            calculated.add("estimatedvalue")
    if table.name == "serviceendpoint":
        row |= {flag: secret in row for secret, flag in _SECRETS.items()}
    if table.name == "annotation" and "documentbody" in row:
        row["filesize"] = len(row["documentbody"]) * 3 // 4
    if table.currency is not None:
        calculated |= _money(env, table, row, sent, before)
    return calculated


def _customer(row: dict[str, Any], sent: Collection[str]) -> set[str]:
    """The potential customer and the two parents say the same thing; whichever was sent leads."""
    if "customerid" in sent:
        customer: Ref | None = row.get("customerid")
        if customer is None:
            return set()
        parent = "parentaccountid" if customer.table == "account" else "parentcontactid"
        if parent in sent:
            return set()
        row[parent] = customer
        return {parent}
    if {"parentaccountid", "parentcontactid"}.isdisjoint(sent):
        return set()
    row["customerid"] = row.get("parentaccountid") or row.get("parentcontactid")
    return {"customerid"}


def _check_currency(env: Environment, row: Row, before: Row) -> None:
    if row.get("transactioncurrencyid") != before.get("transactioncurrencyid") and "pricelevelid" in before:
        raise Refusal(
            400,
            "0x80048479",
            "The currency cannot be changed because this opportunity has Products Quotes, and/ or Orders associated"
            " with it.  If you want to change the currency please delete all of the Products/quotes/orders and then"
            " change the currency or create a new opportunity with the appropriate currency.",
        )


def _money(env: Environment, table: Table, row: dict[str, Any], sent: Collection[str], before: Row | None) -> set[str]:
    """Currency, rate and base values. The rate is that of the write, so base values do not follow it later."""
    amounts = [name for name, column in table.columns.items() if column.kind == "Money" and not name.endswith("_base")]
    written = {name for name in amounts if name in sent or (before or {}).get(name) != row.get(name)}
    if row.get("transactioncurrencyid") is None:
        if not (table.currency == "always" or any(row.get(name) is not None for name in written)):
            return set()
        row["transactioncurrencyid"] = env.base_currency()
    switched = before is None or before.get("transactioncurrencyid") != row["transactioncurrencyid"]
    if not written and not switched:
        return set()
    currency, base = env.currency_of(row), env.store.get(*env.base_currency()) or {}
    rate = Decimal(currency.get("exchangerate", 1))
    row["exchangerate"] = rate
    calculated = {"exchangerate"}
    for name in amounts if switched else written:
        amount = row.get(name)
        if amount is not None:
            row[name] = _rounded(amount, currency)
            row[f"{name}_base"] = _rounded(amount / rate, base)
        else:
            row.pop(f"{name}_base", None)
        if name in written:
            calculated.add(f"{name}_base")
    return calculated


def _rounded(amount: Decimal, currency: Row) -> Decimal:
    places = int(currency.get("currencyprecision", 2))
    return Decimal(amount).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
