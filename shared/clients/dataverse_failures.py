"""What Dataverse's own error codes mean to the connector, and the words for it; other codes go by the HTTP status.

Used by `shared.clients.http` through `shared.clients.failures`. Codes: Microsoft's list of Dataverse web service error
codes. Data only.
"""

from __future__ import annotations

from shared.clients.failures import Meaning, Vendor
from shared.errors import AuthorizationError, ConfigurationError, Conflict, DataProblem, NotFound

_VERSION = Meaning(
    Conflict, "VERSION", "The row was changed in Dynamics 365 meanwhile.", "Nothing to do: it is read again."
)
_DUPLICATE = Meaning(
    Conflict, "DUPLICATE", "Dynamics 365 has a row with this id or key already.", "Nothing to do: it is read again."
)
_GONE = Meaning(NotFound, "NOT_FOUND", "The row does not exist in Dynamics 365.", "Nothing to do unless it should.")
_COLUMN = Meaning(
    ConfigurationError,
    "COLUMN",
    "Dynamics 365 does not know a column, or has it with another type.",
    "Install the connector's columns, or correct the field mapping.",
)
_LIMIT = Meaning(
    DataProblem,
    "LIMIT",
    "A value is longer or larger than its column in Dynamics 365 allows.",
    "Shorten the value in Partner Center, or widen the column.",
)
_CHOICE = Meaning(
    DataProblem, "CHOICE", "Dynamics 365 does not have this choice.", "Add it to the column, or correct the mapping."
)
_RULE = Meaning(
    DataProblem,
    "RULE",
    "A rule of this Dynamics 365 environment refused the change.",
    "Follow the rule's own words, or exempt the connector's user from it.",
)
_CURRENCY = Meaning(
    DataProblem,
    "CURRENCY_LOCKED",
    "The currency of this opportunity is fixed by its price list or its products.",
    "Remove the price list or the products, or keep the currency in Partner Center.",
)
_UNVERSIONED = Meaning(
    ConfigurationError,
    "NO_VERSIONS",
    "A table has no optimistic concurrency, without which edits could be lost.",
    "Enable it for the table (IsOptimisticConcurrencyEnabled).",
)
_NO_USER = Meaning(
    AuthorizationError,
    "NO_USER",
    "Dynamics 365 has no application user for the connector, or it is disabled.",
    "Create or enable it in the Power Platform admin center: Environment, Application users.",
)
DATAVERSE = Vendor(
    "DV",
    "Dynamics 365",
    sign_in="Check DATAVERSE_URL and the managed identity of the app.",
    access="Give the connector's application user its security role in Dynamics 365.",
    codes={
        "0x80060882": _VERSION,
        "0x80040237": _DUPLICATE,
        "0x80060892": _DUPLICATE,
        "0x80040333": _DUPLICATE,
        "0x80073002": _DUPLICATE,
        "0x80040217": _GONE,
        "0x80060891": _GONE,
        "0x80048d19": _COLUMN,
        "0x80060888": _COLUMN,
        "0x80041102": _COLUMN,
        "0x80044331": _LIMIT,
        "0x8004432f": _LIMIT,
        "0x80044330": _LIMIT,
        "0x8004431a": _CHOICE,
        "0x80040265": _RULE,
        "0x80048479": _CURRENCY,
        "0x80060883": _UNVERSIONED,
        "0x80072560": _NO_USER,
        "0x80040225": _NO_USER,
        "0x8004d24b": _NO_USER,
    },
)
