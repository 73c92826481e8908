"""What the connector needs from the outside, as the handlers see it.

Handlers depend on these protocols only; `shared.clients` implements them over real sockets, `tests.fakes` in memory,
and one contract suite per port holds for both. Nothing here may mention HTTP, AMQP or a vendor's SDK.
Errors are those of `shared.errors`; every method may raise `Unavailable`, `Throttled` and `AuthorizationError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shared.domain.referral import Referral
from shared.domain.row import Lookup as Lookup
from shared.domain.row import Row as Row
from shared.domain.row import Values as Values
from shared.messages import Hint, ParkedMessage


@dataclass(frozen=True)
class Condition:
    """One comparison of a `find`; conditions are joined by *and*. Text compares without case, as Dataverse does."""

    column: str
    value: Any
    operator: str = "eq"
    """eq, ne, ge, gt, le, lt; in: one of the values, of which there is at least one."""


@dataclass(frozen=True)
class Column:
    """What Dataverse's metadata say of a column. `kind` is the AttributeType (String, Memo, Money, Picklist, …)."""

    name: str
    kind: str
    max_length: int | None = None
    options: Mapping[int, str] = field(default_factory=dict)


class Dataverse(Protocol):
    """Tables and columns by logical name (`opportunity`, `estimatedvalue`); see spec of the Web API for limits."""

    def get(
        self, table: str, row_id: str, columns: Sequence[str], expand: Mapping[str, Sequence[str]] | None = None
    ) -> Row:
        """One row; `NotFound` when it does not exist. `expand`: lookup column or child table → columns."""
        ...

    def find(
        self,
        table: str,
        where: Sequence[Condition],
        columns: Sequence[str],
        *,
        order_by: str | None = None,
        limit: int = 50,
    ) -> list[Row]:
        """Rows that meet all conditions. `order_by` as `"modifiedon desc"`."""
        ...

    def get_many(
        self,
        table: str,
        row_ids: Iterable[str],
        columns: Sequence[str],
        expand: Mapping[str, Sequence[str]] | None = None,
    ) -> dict[str, Row]:
        """Row id → row as `get` would give it, in few calls; what does not exist is left out. Waits for its turn."""
        ...

    def create(self, table: str, values: Values, row_id: str | None = None) -> str:
        """The new row's id. `Conflict` when `row_id` or an alternate key exists already."""
        ...

    def update(self, table: str, row_id: str, values: Values, etag: str | None) -> None:
        """Write only `values`. `Conflict` when the row's version is not `etag`; None: any version, but never create."""
        ...

    def delete(self, table: str, row_id: str) -> None:
        """`NotFound` when it is gone already."""
        ...

    def close_opportunity(self, opportunity_id: str, *, won: bool, status: int, activity: Values) -> None:
        """Win or lose with a closing activity (`subject`, `description`, `actualend`, `actualrevenue`)."""
        ...

    def qualify_lead(self, lead_id: str, *, currency: Lookup | None, customer: Lookup | None) -> str:
        """Qualify into an opportunity (status 3) and return the opportunity's id."""
        ...

    def user_id(self) -> str:
        """The systemuser id this connector writes as."""
        ...

    def columns(self, table: str) -> Mapping[str, Column]:
        """Metadata by logical name; cached by the client."""
        ...

    def environment_variables(self, prefix: str) -> Mapping[str, str]:
        """Schema name (lower-case) → current value, else default value."""
        ...


@dataclass(frozen=True)
class PatchOperation:
    """One JSON Patch operation: `op` is `replace` or `add`; `value` is a JSON value, Decimal or datetime."""

    op: str
    path: str
    value: Any


class PartnerCenter(Protocol):
    """Referrals of this partner and, within its engagements, of Microsoft."""

    def get(self, referral_id: str) -> Referral:
        """`NotFound` when unknown or invisible."""
        ...

    def engagement(self, engagement_id: str) -> list[Referral]:
        """All referrals of one deal, Microsoft's included."""
        ...

    def engagements(self, engagement_ids: Iterable[str]) -> list[Referral]:
        """All referrals of these deals in few calls. Waits for its turn."""
        ...

    def updated_since(self, moment: datetime) -> Iterator[Referral]:
        """Referrals changed at or after `moment`, oldest first, each once, page by page. Waits for its turn."""
        ...

    def still_open(self) -> Iterator[Referral]:
        """Referrals that are not closed, each once, page by page. Waits for its turn."""
        ...

    def find_by_external_reference(self, opportunity_id: str, since: datetime) -> list[Referral]:
        """Referrals that carry this CRM id, created or changed at or after `since`."""
        ...

    def create(self, body: Mapping[str, Any]) -> Referral:
        """Not idempotent: `UnknownOutcome` when the answer was lost, `DataProblem` when refused."""
        ...

    def patch(self, referral_id: str, operations: Sequence[PatchOperation], etag: str | None) -> Referral:
        """The referral after the change. `Conflict` on another version, `DataProblem` when refused."""
        ...


@dataclass(frozen=True)
class Registration:
    """The one webhook registration of the partner's tenant."""

    url: str = field(repr=False)
    """Usually with a function's key in its query."""
    events: tuple[str, ...]
    subscriber_id: str | None = None


@dataclass(frozen=True)
class ValidationResult:
    """How a test event fared; `delivered` when an attempt was answered 2xx."""

    finished: bool
    delivered: bool
    attempts: int


class WebhookRegistrations(Protocol):
    """Partner Center's registration API (another host and token audience than the referrals)."""

    def current(self) -> Registration | None: ...

    def register(self, url: str, events: Sequence[str]) -> Registration:
        """First registration; `Conflict` when one exists."""
        ...

    def replace(self, url: str, events: Sequence[str]) -> Registration: ...

    def send_test_event(self) -> str:
        """Correlation id of the test; at most 2 a minute (`Throttled`)."""
        ...

    def test_result(self, correlation_id: str) -> ValidationResult: ...


class Queues(Protocol):
    """Sends; receiving is the host's business."""

    def send(self, queue: str, hint: Hint, *, delay_s: float = 0.0) -> None:
        """Durable when it returns. The message id is derived from the hint, so a repeated send is one message."""
        ...

    def resend(self, queue: str, body: str, *, delay_s: float) -> None:
        """The same body again after a while; a new message, as it must pass duplicate detection."""
        ...

    def park(self, parked: ParkedMessage) -> None:
        """Set a message aside in the queue `parked`."""
        ...


class SecretStore(Protocol):
    """Where the refresh token lives."""

    def get(self, name: str) -> str: ...

    def set(self, name: str, value: str) -> None: ...


class Certificates(Protocol):
    """The webhook signer's certificate; the URL has passed the allow-list before."""

    def fetch(self, url: str) -> bytes:
        """DER or PEM bytes; `Unavailable` when it cannot be had now."""
        ...


class Notifications(Protocol):
    """Tells people of what they should look at; never raises."""

    def post(self, title: str, text: str, facts: Mapping[str, str]) -> None:
        """One short card. No personal data: it leaves the tenant's systems for a chat."""
        ...


class NoNotifications:
    """For installations that tell nobody."""

    def post(self, title: str, text: str, facts: Mapping[str, str]) -> None:
        """Nobody to tell."""


class Clock(Protocol):
    """Now, as an aware UTC datetime."""

    def __call__(self) -> datetime: ...
