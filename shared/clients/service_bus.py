"""The queues as the port `shared.ports.Queues`, on the azure-servicebus SDK.

One long-lived sender per queue, each behind a lock: opening one costs half a second, and one shared without a lock
breaks down under load. A send that fails is repeated once on a fresh link; the message id is derived from the hint, so
a repetition is one message wherever duplicate detection is on. Receiving is the Functions host's business.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSender

from shared.clients import failures
from shared.clients.failures import Vendor
from shared.errors import ConfigurationError, Unavailable
from shared.messages import Hint, ParkedMessage, Queue
from shared.ports import Clock

SERVICE_BUS = Vendor(
    "SB",
    "Service Bus",
    sign_in="Check the connection string, or the managed identity of the app.",
    access="Give the app's identity the role Azure Service Bus Data Sender on the namespace.",
)

_SEND_TIMEOUT_S = 10.0
_RETRIES: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.2, "retry_backoff_max": 2.0}


def client_from_connection_string(connection_string: str) -> ServiceBusClient:
    """For places without managed identity. `ConfigurationError` when it is no connection string."""
    try:
        return ServiceBusClient.from_connection_string(connection_string, **_RETRIES)
    except (ValueError, KeyError, TypeError):  # the SDK's words quote the string, which holds a key
        raise ConfigurationError(
            "SB_CONNECTION",
            "The setting ServiceBusConnection is not a connection string of Service Bus.",
            "Copy the whole string of a shared access policy, or use a managed identity instead.",
        ) from None


def client_for_namespace(
    namespace: str, credential: TokenCredential, *, ca_bundle: str | None = None
) -> ServiceBusClient:
    """`namespace` as in sb-cosell.servicebus.windows.net."""
    return ServiceBusClient(namespace, credential, connection_verify=ca_bundle, **_RETRIES)


class ServiceBusQueues:
    """Made once per process; safe to share between threads. `connect` makes the SDK's client, which is then ours."""

    def __init__(self, connect: Callable[[], ServiceBusClient], clock: Clock) -> None:
        self._client = connect()
        self._clock = clock
        self._lock = threading.Lock()
        self._links: dict[str, _Link] = {}

    def send(self, queue: str, hint: Hint, *, delay_s: float = 0.0) -> None:
        due_at = self._clock() + timedelta(seconds=delay_s) if delay_s > 0 else None
        message = ServiceBusMessage(
            hint.to_json(),
            message_id=hint.message_id(queue),
            correlation_id=str(hint.correlation_id),
            content_type="application/json",
            application_properties={"attempt": hint.attempt},
            scheduled_enqueue_time_utc=due_at,
        )
        self._link(queue).send(message)

    def resend(self, queue: str, body: str, *, delay_s: float) -> None:
        message = ServiceBusMessage(
            body,
            message_id=uuid.uuid4().hex,
            content_type="application/json",
            scheduled_enqueue_time_utc=self._clock() + timedelta(seconds=delay_s),
        )
        self._link(queue).send(message)

    def park(self, parked: ParkedMessage) -> None:
        message = ServiceBusMessage(
            parked.to_json(),
            message_id=parked.message_id(),
            correlation_id=parked.correlation_id,
            content_type="application/json",
            application_properties={"attempt": parked.attempt, "code": parked.code, "queue": parked.queue},
        )
        self._link(Queue.PARKED).send(message)

    def close(self) -> None:
        """Close all links; the object is not usable afterwards."""
        with self._lock:
            for link in self._links.values():
                link.close()
            self._client.close()

    def _link(self, queue: str) -> _Link:
        with self._lock:
            if queue not in self._links:
                self._links[queue] = _Link(self._client, str(queue))
            return self._links[queue]


class _Link:
    """The sender of one queue, opened when first needed and again when it broke."""

    def __init__(self, client: ServiceBusClient, queue: str) -> None:
        self._client, self._queue = client, queue
        self._lock = threading.Lock()
        self._sender: ServiceBusSender | None = None

    def send(self, message: ServiceBusMessage) -> None:
        with self._lock:
            for last_try in (False, True):
                try:
                    self._open().send_messages(message, timeout=_SEND_TIMEOUT_S)
                except (AzureError, ValueError, OSError) as error:  # ValueError: the SDK's word for a closed sender
                    self._drop()
                    failure = failures.from_exception(error, SERVICE_BUS, repeatable=True)
                    if last_try or not isinstance(failure, Unavailable):
                        raise failure from None
                else:
                    return

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _open(self) -> ServiceBusSender:
        if self._sender is None:
            self._sender = self._client.get_queue_sender(self._queue)
        return self._sender

    def _drop(self) -> None:
        if self._sender is not None:
            sender, self._sender = self._sender, None
            sender.close()
