"""Every failure the connector knows, grouped by what is to be done next.

    SyncError(code, sentence, remedy)
    ├── Rejected              refuse at the door            → 400/401/413, never queued, counted
    ├── ConfigurationError    an operator must act          → stop this direction, alert once, keep the messages
    ├── AuthorizationError    token or consent              → refresh once, then treated as ConfigurationError
    ├── NotFound              the row or referral is gone   → the handler decides
    ├── Unavailable           the other side is down        → next rung of the retry ladder
    │   ├── NotYet            something of ours comes first → the same, on shorter rungs
    │   └── Throttled         the other side says wait      → after `retry_after_s`, for the whole host; uses no rung
    ├── Conflict              409/412                       → read again, plan again, at most 3 times
    ├── DataProblem           a seller must act             → audit line and mark on the opportunity, no retry
    ├── UnknownOutcome        timed out after a call that may have worked → look before anything else
    └── Bug                   everything else               → ladder, then park; never swallowed

A sentence is written for the person who reads it, names what is wrong, and its remedy says what to do. Neither may
hold customer data, tokens or keys. Clients raise these; handlers and `shared.delivery` act on them.
"""

from __future__ import annotations


class SyncError(Exception):
    """Base of all. `code` is stable and upper-case, `sentence` and `remedy` are one sentence each."""

    def __init__(self, code: str, sentence: str, remedy: str = "", *, detail: str = "") -> None:
        super().__init__(f"{code}: {sentence}" + (f" {remedy}" if remedy else ""))
        self.code = code
        self.sentence = sentence
        self.remedy = remedy
        self.detail = detail
        """The vendor's own words, shortened; for the audit line, never matched on."""


class Rejected(SyncError):
    """A request that is refused at the door; `status` is the HTTP answer."""

    def __init__(self, code: str, sentence: str, remedy: str = "", *, status: int = 400) -> None:
        super().__init__(code, sentence, remedy)
        self.status = status


class ConfigurationError(SyncError):
    """Nothing of this kind can work until an operator acts."""


class AuthorizationError(SyncError):
    """The token is missing, expired, for another audience, lacks MFA or the role."""


class NotFound(SyncError):
    """The row or referral does not exist, or this identity cannot see it."""


class Unavailable(SyncError):
    """The other side could not be reached or failed; nothing was applied, or repeating is harmless."""

    def __init__(self, code: str, sentence: str, remedy: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(code, sentence, remedy)
        self.retry_after_s = retry_after_s


class NotYet(Unavailable):
    """Another flow is about to make what this one needs; it is a matter of seconds."""


class Throttled(Unavailable):
    """The other side asked to wait; `retry_after_s` holds for every caller of that host."""


class Conflict(SyncError):
    """Somebody else wrote first (409 or 412)."""


class DataProblem(SyncError):
    """The deal cannot be synchronised until a seller or the other side changes its data."""


class UnknownOutcome(SyncError):
    """The call may or may not have been applied; look it up before trying again."""


class Bug(SyncError):
    """An answer or a state nobody thought of."""
