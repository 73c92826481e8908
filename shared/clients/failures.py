"""What every failure of a call means to the connector: HTTP answers and exceptions of the SDKs → `shared.errors`.

`from_answer` goes by the vendor's error code first and by the HTTP status second; `from_exception` by the exception's
class. `repeatable` says whether a second call would be harmless: without it, a failure that may have come after the
effect is an `UnknownOutcome`. Sentences never quote what the vendor said (it may hold customer data): that goes to
`detail`; only column names are lifted out of it. A guard test holds both tables against every HTTP status and every
exception class of the SDKs.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import requests.exceptions as rq
from azure.core import exceptions as core
from azure.servicebus import exceptions as sb
from urllib3.exceptions import NewConnectionError

from shared.clients.wire import Problem
from shared.errors import (
    AuthorizationError,
    Bug,
    ConfigurationError,
    Conflict,
    DataProblem,
    NotFound,
    SyncError,
    Throttled,
    Unavailable,
    UnknownOutcome,
)


@dataclass(frozen=True)
class Meaning:
    """What a failure is, and the words for it. `code` gets the vendor's prefix."""

    kind: type[SyncError]
    code: str
    sentence: str
    remedy: str = ""


@dataclass(frozen=True)
class Vendor:
    """The words for one host: `prefix` of codes, `name` in sentences, remedies, and what its own error codes mean."""

    prefix: str
    name: str
    sign_in: str
    """What to do about a refused token."""
    access: str
    """What to do about a missing right."""
    codes: Mapping[str, Meaning] = field(default_factory=dict)
    """The vendor's error code, lower-case → meaning; wins over the HTTP status."""


_COLUMN_NAME = re.compile(r"(?<![\w@.-])[a-z][a-z0-9]{1,7}_[a-z0-9_]{1,60}(?![\w@]|[.-]\w)")
"""A column with a publisher's prefix, such as new_region; neither a word of prose nor a part of an address."""
_LATER = "Nothing to do at first: it is tried again; look at the service's health page when it lasts."
_LOOK = "Nothing to do: the connector looks up what became of it before it tries again."
_REPORT = "Report this with the correlation id; the message is parked and can be replayed."

_DOWN = Meaning(Unavailable, "UNAVAILABLE", "{name} failed with HTTP {status}.", _LATER)
_WRONG_REQUEST = Meaning(Bug, "BAD_REQUEST", "{name} does not accept this kind of request (HTTP {status}).", _REPORT)
_REJECTED = Meaning(
    DataProblem, "REJECTED", "{name} refused the data (HTTP {status}).", "Correct what its own words name, then save."
)
_GONE = Meaning(NotFound, "NOT_FOUND", "{name} has no such record, or hides it from this identity.", "{access}")
_CHANGED = Meaning(
    Conflict, "VERSION", "The record was changed in {name} meanwhile.", "Nothing to do: it is read again."
)
_THROTTLED = Meaning(Throttled, "THROTTLED", "{name} asked to wait.", "Nothing to do: the work is tried again later.")
_MOVED = Meaning(
    ConfigurationError,
    "REDIRECTED",
    "{name} redirected the call (HTTP {status}), which is never followed.",
    "Correct the base address in the settings.",
)
_PROXY = Meaning(
    ConfigurationError,
    "NETWORK_SIGN_IN",
    "Something between here and {name} asks for a sign-in of its own (HTTP {status}).",
    "Let the app reach the host directly.",
)

_STATUSES: Mapping[int, Meaning] = {
    400: _REJECTED,
    401: Meaning(AuthorizationError, "UNAUTHORIZED", "{name} did not accept the access token.", "{sign_in}"),
    402: Meaning(ConfigurationError, "LICENCE", "{name} asks for a licence or payment (HTTP 402).", "{access}"),
    403: Meaning(AuthorizationError, "FORBIDDEN", "{name} refused access to this identity (HTTP 403).", "{access}"),
    404: _GONE,
    407: _PROXY,
    408: _DOWN,
    409: _CHANGED,
    410: _GONE,
    412: _CHANGED,
    413: Meaning(
        DataProblem,
        "TOO_LARGE",
        "The record is too large for {name} (HTTP 413).",
        "Shorten notes and lists of the opportunity; saving it tries again.",
    ),
    422: _REJECTED,
    423: _DOWN,
    424: _DOWN,
    425: _DOWN,
    429: _THROTTLED,
    501: _WRONG_REQUEST,
    505: _WRONG_REQUEST,
    511: _PROXY,
}


def by_status(status: int) -> Meaning:
    """The meaning of an HTTP status that is not a success."""
    if status in _STATUSES:
        return _STATUSES[status]
    if status in (301, 302, 303, 305, 307, 308):
        return _MOVED
    return _DOWN if status >= 500 else _WRONG_REQUEST


def from_answer(problem: Problem, vendor: Vendor, *, repeatable: bool) -> SyncError:
    """The error for an answer outside 2xx."""
    meaning = vendor.codes.get(problem.code.lower()) or by_status(problem.status)
    # 408 and 5xx say nothing about whether the call was applied before it failed.
    if meaning.kind is Unavailable and not repeatable:
        meaning = _lost(meaning.sentence)
    return _error(meaning, vendor, problem)


def unreadable(vendor: Vendor, *, repeatable: bool) -> SyncError:
    """The error for a success whose body cannot be read."""
    sentence = "{name} answered with something that cannot be read."
    meaning = Meaning(Unavailable, "UNREADABLE", sentence, _LATER) if repeatable else _lost(sentence)
    return _error(meaning, vendor, Problem(200))


def _lost(sentence: str) -> Meaning:
    return Meaning(UnknownOutcome, "OUTCOME_UNKNOWN", sentence + " The call may have been applied.", _LOOK)


def _error(meaning: Meaning, vendor: Vendor, problem: Problem) -> SyncError:
    words = {"name": vendor.name, "status": problem.status, "sign_in": vendor.sign_in, "access": vendor.access}
    code = f"{vendor.prefix}_{meaning.code}"
    sentence, remedy = meaning.sentence.format(**words), meaning.remedy.format(**words)
    columns = dict.fromkeys(_COLUMN_NAME.findall(problem.message)) if meaning.kind is DataProblem else ()
    if columns:
        sentence += f" It names {', '.join(columns)}."
    if issubclass(meaning.kind, Unavailable):
        error: SyncError = meaning.kind(code, sentence, remedy, retry_after_s=problem.retry_after_s)
        error.detail = problem.message
        return error
    return meaning.kind(code, sentence, remedy, detail=problem.message)


# -- exceptions --------------------------------------------------------------------------------------------------------
_UNREACHABLE = Meaning(Unavailable, "UNREACHABLE", "{name} cannot be reached ({error}).", _LATER)
_INTERRUPTED = Meaning(Unavailable, "INTERRUPTED", "The connection to {name} broke ({error}).", _LATER)
_SLOW = Meaning(Unavailable, "TIMEOUT", "{name} did not answer in time ({error}).", _LATER)
_ADDRESS = Meaning(
    ConfigurationError,
    "ADDRESS",
    "The address of {name} cannot be used ({error}).",
    "Correct the address in the settings.",
)
_TLS = Meaning(
    ConfigurationError,
    "TLS",
    "{name}'s TLS certificate is not trusted.",
    "Check the host name and, with a private authority, the setting TLS_CA_BUNDLE.",
)
_UNEXPECTED = Meaning(Bug, "UNEXPECTED", "An unexpected failure of the call to {name} ({error}).", _REPORT)
_SIGN_IN = Meaning(AuthorizationError, "UNAUTHORIZED", "{name} did not accept this identity ({error}).", "{sign_in}")
_ACCESS = Meaning(AuthorizationError, "FORBIDDEN", "{name} refused access to this identity.", "{access}")
_SETTLEMENT = Meaning(
    Unavailable, "LOCK_LOST", "The message's lock was lost ({error}).", "Nothing to do: it comes again."
)

_QUEUE_MISSING = Meaning(
    ConfigurationError,
    "QUEUE_MISSING",
    "A queue of the connector does not exist in {name}.",
    "Deploy the infrastructure again; it creates all queues.",
)
_QUEUE_DISABLED = Meaning(
    ConfigurationError, "QUEUE_DISABLED", "A queue of the connector is disabled in {name}.", "Enable it again."
)
_QUOTA = Meaning(
    Unavailable, "QUOTA", "A queue or the namespace of {name} is full.", "Replay or discard what piled up there."
)
_MESSAGE_SIZE = Meaning(
    Bug, "MESSAGE_SIZE", "The message is larger than {name} takes.", "Report this: hints are a few hundred bytes."
)

type _Kinds = tuple[type[BaseException], ...]
_REQUESTS: tuple[tuple[Meaning, _Kinds], ...] = (
    (_UNREACHABLE, (rq.ConnectTimeout, rq.ProxyError)),
    (_ADDRESS, (rq.URLRequired, rq.MissingSchema, rq.InvalidSchema, rq.InvalidURL, rq.InvalidProxyURL)),
    (_SLOW, (rq.Timeout, rq.ReadTimeout)),
    (_INTERRUPTED, (rq.ConnectionError, rq.SSLError, rq.ChunkedEncodingError, rq.ContentDecodingError)),
    (_INTERRUPTED, (rq.RetryError, rq.JSONDecodeError)),
    (_MOVED, (rq.TooManyRedirects,)),
    (_UNEXPECTED, (rq.InvalidHeader, rq.InvalidJSONError, rq.UnrewindableBodyError, rq.StreamConsumedError)),
    (_UNEXPECTED, (rq.HTTPError, rq.RequestException)),
)
_CORE: tuple[tuple[Meaning, _Kinds], ...] = (
    (_UNREACHABLE, (core.ServiceRequestError, core.ServiceRequestTimeoutError)),
    (_SLOW, (core.ServiceResponseTimeoutError,)),
    (_INTERRUPTED, (core.ServiceResponseError, core.DecodeError, core.IncompleteReadError, core.DeserializationError)),
    (_DOWN, (core.HttpResponseError, core.ODataV4Error)),
    (_CHANGED, (core.ResourceExistsError, core.ResourceModifiedError)),
    (_GONE, (core.ResourceNotFoundError,)),
    (_SIGN_IN, (core.ClientAuthenticationError,)),
    (_MOVED, (core.TooManyRedirectsError,)),
    (_UNEXPECTED, (core.ResourceNotModifiedError, core.StreamConsumedError, core.StreamClosedError)),
    (_UNEXPECTED, (core.ResponseNotReadError, core.SerializationError, core.AzureError)),
)
_SERVICE_BUS: tuple[tuple[Meaning, _Kinds], ...] = (  # sends are repeatable: the message id makes two of them one
    (_UNREACHABLE, (sb.ServiceBusConnectionError, sb.ServiceBusCommunicationError)),
    (_SLOW, (sb.OperationTimeoutError,)),
    (_INTERRUPTED, (sb.ServiceBusError,)),
    (_THROTTLED, (sb.ServiceBusServerBusyError,)),
    (_SIGN_IN, (sb.ServiceBusAuthenticationError,)),
    (_ACCESS, (sb.ServiceBusAuthorizationError,)),
    (_QUEUE_MISSING, (sb.MessagingEntityNotFoundError,)),
    (_QUEUE_DISABLED, (sb.MessagingEntityDisabledError,)),
    (_QUOTA, (sb.ServiceBusQuotaExceededError,)),
    (_MESSAGE_SIZE, (sb.MessageSizeExceededError,)),
    (_SETTLEMENT, (sb.MessageAlreadySettled, sb.MessageLockLostError, sb.MessageNotFoundError)),
    (_SETTLEMENT, (sb.SessionLockLostError, sb.SessionCannotBeLockedError)),
    (_SETTLEMENT, (sb.AutoLockRenewFailed, sb.AutoLockRenewTimeout)),
    (_UNEXPECTED, (sb.MessagingEntityAlreadyExistsError,)),
)
EXCEPTIONS: Mapping[type[BaseException], Meaning] = {
    kind: meaning for meaning, kinds in (*_REQUESTS, *_CORE, *_SERVICE_BUS) for kind in kinds
}
"""Exception class → meaning; the nearest base class counts."""


def from_exception(error: BaseException, vendor: Vendor, *, repeatable: bool) -> SyncError:
    """The error for an exception of requests, azure.core or azure.servicebus; its text is never quoted."""
    status = _status(error)
    # Subclasses of HttpResponseError say more than the status does.
    if type(error) in (rq.HTTPError, core.HttpResponseError, core.ODataV4Error) and status:
        return from_answer(Problem(status), vendor, repeatable=repeatable)
    if _in_chain(error, ssl.SSLCertVerificationError):
        meaning = _TLS
    elif never_sent(error):
        meaning = _UNREACHABLE
    else:
        meaning = next((EXCEPTIONS[kind] for kind in type(error).__mro__ if kind in EXCEPTIONS), _UNEXPECTED)
    if meaning.kind is Unavailable and meaning is not _UNREACHABLE and not repeatable:
        meaning = _lost(meaning.sentence)
    named = Meaning(
        meaning.kind, meaning.code, meaning.sentence.replace("{error}", type(error).__name__), meaning.remedy
    )
    return _error(named, vendor, Problem(status))


def _status(error: BaseException) -> int:
    """The HTTP status an exception carries, or 0."""
    if isinstance(error, rq.HTTPError) and error.response is not None:
        return int(error.response.status_code)
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else 0


def never_sent(error: BaseException) -> bool:
    """Whether the call failed before the first byte left: refused, unresolved or timed out while connecting."""
    return isinstance(error, rq.ConnectTimeout | core.ServiceRequestError) or _in_chain(error, NewConnectionError)


def _in_chain(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether `kind` is the error, its cause, or wrapped in its arguments (urllib3's MaxRetryError has a `reason`)."""
    seen: list[BaseException] = []
    todo: list[object] = [error]
    while todo:
        item = todo.pop()
        if isinstance(item, kind):
            return True
        if isinstance(item, BaseException) and item not in seen:
            seen.append(item)
            todo += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
    return False
