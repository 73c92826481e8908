"""The rows an environment starts with: organisation, currencies, users, messages, environment variables and steps.

Ids are the same after every reset, and so are the rows: tests begin anew hundreds of times, so what the first beginning
wrote is put back. Written straight into the store, because none of it is a user's doing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.dataverse import definitions
from sandbox.dataverse.environment import Environment
from sandbox.dataverse.schema import stable_id
from sandbox.dataverse.store import Ref
from sandbox.dataverse.values import stamp

_CREATE_MESSAGE = "9ebdbb1b-ea3e-db11-86a7-000a3a5473e8"
MESSAGES = ("Create", "Update", "Delete", "Assign", "Associate", "Disassociate", "Win", "Lose", "QualifyLead", "Merge")
_VARIABLE_TYPES = {"String": 100000000, "Number": 100000001, "Boolean": 100000002, "JSON": 100000003}
_CURRENCIES = (
    ("USD", "US Dollar", "$", 2, "1.000000000000"),
    ("EUR", "Euro", "€", 2, "0.920000000000"),
    ("JPY", "Yen", "¥", 0, "155.000000000000"),
)


def start(env: Environment, *, with_custom: bool = True) -> None:
    """Begin anew. Without the custom part the environment is one into which the connector was never installed."""
    env.start_over(definitions.load(with_custom=with_custom))
    first = env.firsts.get(with_custom)
    if first is None:
        env.save_schema()
        _write(env, with_custom=with_custom)
        env.firsts[with_custom] = env.store.contents()
    else:
        env.store.put_back(first)


def _write(env: Environment, *, with_custom: bool) -> None:
    with env.store.transaction():
        _organization(env)
        _users(env)
        for name in MESSAGES:
            add(env, "sdkmessage", _message(name), {"name": name})
        for table in env.schema.tables.values():
            add_filters(env, table.name)
        if with_custom:
            _connector(env)


def add(env: Environment, table_name: str, row_id: str, values: dict[str, Any]) -> Ref:
    """A system row with the defaults of its table."""
    table = env.schema.tables[table_name]
    now = stamp(env.now())
    row: dict[str, Any] = {name: column.default for name, column in table.columns.items()}
    reason = table.columns["statuscode"].options[0]
    me = Ref("systemuser", env.layout.app_user_id)
    row |= {"statecode": reason.state, "statuscode": reason.value, "createdon": now, "modifiedon": now}
    row |= {"createdby": me, "modifiedby": me, table.primary_id: row_id}
    if table.ownership == "user":
        row["ownerid"] = row["owninguser"] = me
    env.store.put(table_name, row_id, row | values)
    return Ref(table_name, row_id)


def add_filters(env: Environment, table_name: str) -> None:
    """A table can be named by steps once it has its message filters."""
    for name in MESSAGES:
        values = {"sdkmessageid": Ref("sdkmessage", _message(name)), "primaryobjecttypecode": table_name}
        add(env, "sdkmessagefilter", _filter(name, table_name), values)


def _message(name: str) -> str:
    return _CREATE_MESSAGE if name == "Create" else stable_id("sdkmessage", name)


def _filter(message: str, table_name: str) -> str:
    return stable_id("sdkmessagefilter", message, table_name)


def _organization(env: Environment) -> None:
    for code, name, symbol, places, rate in _CURRENCIES:
        values = {
            "isocurrencycode": code,
            "currencyname": name,
            "currencysymbol": symbol,
            "currencyprecision": places,
            "exchangerate": Decimal(rate),
        }
        add(env, "transactioncurrency", stable_id("currency", code), values)
    unit = add(env, "businessunit", stable_id("businessunit", "root"), {"name": "fjordvik"})
    base = Ref("transactioncurrency", stable_id("currency", "USD"))
    values = {"name": "Fjordvik", "languagecode": 1033, "localeid": 1033, "basecurrencyid": base}
    add(env, "organization", env.layout.dataverse_organization_id, values)
    add(env, "team", stable_id("team", "root"), {"name": "fjordvik", "businessunitid": unit})


def _users(env: Environment) -> None:
    layout, unit = env.layout, env.root_business_unit()
    add(
        env,
        "systemuser",
        layout.app_user_id,
        {
            "firstname": "#",
            "lastname": "Co-sell sync",
            "fullname": "# Co-sell sync",
            "applicationid": layout.app_client_id,
            "domainname": f"{layout.app_client_id}@fjordvik.example",
            "internalemailaddress": "cosell-sync@fjordvik.example",
            "businessunitid": unit,
        },
    )
    add(
        env,
        "systemuser",
        layout.seller_user_id,
        {
            "firstname": "Nora",
            "lastname": "Lindqvist",
            "fullname": "Nora Lindqvist",
            "domainname": "nora.lindqvist@fjordvik.example",
            "internalemailaddress": "nora.lindqvist@fjordvik.example",
            "address1_telephone1": "+47 55 01 02 03",
            "title": "Account executive",
            "businessunitid": unit,
        },
    )


def _connector(env: Environment) -> None:
    """What the connector's installer would have left: variables, endpoints, steps and images."""
    document = definitions.read(definitions.CUSTOM)
    for variable in document["environment_variables"]:
        values = {
            "schemaname": variable["schema_name"],
            "displayname": variable["label"],
            "type": _VARIABLE_TYPES[variable["kind"]],
            "defaultvalue": variable["default"],
        }
        add(env, "environmentvariabledefinition", stable_id("variable", variable["schema_name"]), values)
    for step in document["steps"]:
        endpoint = _endpoint(env, step["queue"])
        for message in step["messages"]:
            _step(env, endpoint, message, step)


def _endpoint(env: Environment, queue: str) -> Ref:
    row_id = stable_id("serviceendpoint", queue)
    if env.store.get("serviceendpoint", row_id) is not None:
        return Ref("serviceendpoint", row_id)
    values = {
        "name": f"Co-sell sync: {queue}",
        "description": f"Posts changes to the queue {queue}",
        "contract": 6,
        "connectionmode": 1,
        "authtype": 2,
        "namespaceformat": 2,
        "namespaceaddress": "sb://127.0.0.1/",
        "solutionnamespace": "sandbox",
        "path": queue,
        "saskeyname": "sandbox",
        "saskey": "c2FuZGJveC1rZXk=",
        "issaskeyset": True,
        "messageformat": 2,
        "messagecharset": 1,
        "userclaim": 2,
    }
    return add(env, "serviceendpoint", row_id, values)


def _step(env: Environment, endpoint: Ref, message: str, definition: dict[str, Any]) -> None:
    table = definition["table"]
    step = add(
        env,
        "sdkmessageprocessingstep",
        stable_id("step", table, message),
        {
            "name": f"Co-sell sync: {table} {message} to Service Bus",
            "stage": 40,
            "mode": 1,
            "asyncautodelete": True,
            "filteringattributes": ",".join(definition["filter"]) if message == "Update" else None,
            "sdkmessageid": Ref("sdkmessage", _message(message)),
            "sdkmessagefilterid": Ref("sdkmessagefilter", _filter(message, table)),
            "eventhandler": endpoint,
        },
    )
    if message != "Create" and definition["pre_image"]:
        image = {
            "name": "pre",
            "entityalias": "pre",
            "imagetype": 0,
            "messagepropertyname": "Target",
            "attributes": ",".join(definition["pre_image"]),
            "sdkmessageprocessingstepid": step,
        }
        add(env, "sdkmessageprocessingstepimage", stable_id("image", table, message), image)
