"""A small app on two queues. A message's JSON body says what its function does; RECORD says what the function saw."""

import json
import os
import time

import azure.functions as func

app = func.FunctionApp()


def record(**fields: object) -> None:
    """Append one line to the file that the test reads."""
    with open(os.environ["RECORD"], "a", encoding="utf-8") as file:
        file.write(json.dumps(fields, default=str) + "\n")


@app.service_bus_queue_trigger(arg_name="message", queue_name="%EVENTS_QUEUE%", connection="ServiceBusConnection")
def events(message: func.ServiceBusMessage) -> None:
    body = message.get_body()
    record(
        function="events",
        at=time.time(),
        body=body.decode(),
        message_id=message.message_id,
        delivery_count=message.delivery_count,
        content_type=message.content_type,
        correlation_id=message.correlation_id,
        subject=message.subject,
        label=message.label,
        session_id=message.session_id,
        properties=message.application_properties,
        user_properties=message.user_properties,
        enqueued=message.enqueued_time_utc,
        enqueued_is_naive=message.enqueued_time_utc is not None and message.enqueued_time_utc.tzinfo is None,
        sequence_number=message.sequence_number,
        lock_token=message.lock_token,
        never_sent=[message.locked_until, message.state, message.time_to_live, message.dead_letter_reason],
        metadata=sorted(message.metadata or {}),
    )
    order = json.loads(body)
    time.sleep(order.get("sleep_s", 0))
    if (message.delivery_count or 1) <= order.get("fail_times", 0):
        raise RuntimeError(f"told to fail on delivery {message.delivery_count}")
    record(function="events", done=message.message_id)


@app.service_bus_queue_trigger(arg_name="message", queue_name="parked", connection="ServiceBusConnection")
async def parked(message: func.ServiceBusMessage) -> None:
    record(function="parked", body=message.get_body().decode(), message_id=message.message_id)
