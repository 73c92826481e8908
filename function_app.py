"""Every function of the app and what starts it. A table of contents: what one does is in the handler of its name.

Flows 1 to 7 and the timers; `shared.app` wires them, `shared.delivery` decides what becomes of a failed message.
"""

import azure.functions as func

import shared.handlers.create_cosell_referral_dynamics_365_to_partner_center as flow_2
import shared.handlers.dynamics_365_microsoft_solutions_to_partner_center as flow_7
import shared.handlers.dynamics_365_opportunity_to_partner_center as flow_6
import shared.handlers.dynamics_365_to_partner_center as flow_5
from shared import messages, row_event
from shared.app import connector
from shared.handlers import delays, http
from shared.handlers import (
    partner_center_microsoft_cosell_referral_updates_to_dynamics_365 as flow_3,
)
from shared.handlers import (
    partner_center_to_dynamics_365 as flow_4,
)
from shared.messages import Queue

app = func.FunctionApp()
BUS = "ServiceBusConnection"


@app.route("partner_center_webhook_registration", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
def partner_center_webhook_registration(req: func.HttpRequest) -> func.HttpResponse:
    """Flow 1: point Partner Center's webhook at this app."""
    return http.register(req, connector)


@app.route("partner_center_webhook", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def partner_center_webhook(req: func.HttpRequest) -> func.HttpResponse:
    """Entry of flow 4: a signed event of Partner Center."""
    return http.receive(req, connector)


@app.route("status", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
def status(req: func.HttpRequest) -> func.HttpResponse:
    """Whether the app is configured and reaches what it needs."""
    return http.status(req, connector)


@app.service_bus_queue_trigger("message", queue_name=Queue.PARTNER_CENTER_EVENTS, connection=BUS)
def partner_center_to_dynamics_365(message: func.ServiceBusMessage) -> None:
    """Flow 4: a referral of ours may have changed."""
    connector().run(Queue.PARTNER_CENTER_EVENTS, message.get_body(), messages.parse, flow_4.handle)


@app.service_bus_queue_trigger("message", queue_name=Queue.MICROSOFT_REFERRAL_UPDATES, connection=BUS)
def partner_center_microsoft_cosell_referral_updates_to_dynamics_365(message: func.ServiceBusMessage) -> None:
    """Flow 3: Microsoft's record of a shared deal changed."""
    connector().run(Queue.MICROSOFT_REFERRAL_UPDATES, message.get_body(), messages.parse, flow_3.handle)


@app.service_bus_queue_trigger("message", queue_name=Queue.DYNAMICS_365_OPPORTUNITIES, connection=BUS)
def dynamics_365_opportunity_to_partner_center(message: func.ServiceBusMessage) -> None:
    """Flow 6: Dataverse says an opportunity, account, contact or lead changed."""
    connector().run(Queue.DYNAMICS_365_OPPORTUNITIES, message.get_body(), row_event.parse, flow_6.handle)


@app.service_bus_queue_trigger("message", queue_name=Queue.DYNAMICS_365_SOLUTIONS, connection=BUS)
def dynamics_365_microsoft_solutions_to_partner_center(message: func.ServiceBusMessage) -> None:
    """Flow 7: Dataverse says a solution row of an opportunity changed."""
    connector().run(Queue.DYNAMICS_365_SOLUTIONS, message.get_body(), row_event.parse, flow_7.handle)


@app.service_bus_queue_trigger("message", queue_name=Queue.DYNAMICS_365_TO_PARTNER_CENTER, connection=BUS)
def dynamics_365_to_partner_center(message: func.ServiceBusMessage) -> None:
    """Flow 5: merge an opportunity into its referral."""
    connector().run(
        Queue.DYNAMICS_365_TO_PARTNER_CENTER, message.get_body(), messages.parse, flow_5.handle, delays.tell
    )


@app.service_bus_queue_trigger("message", queue_name=Queue.CREATE_COSELL_REFERRAL, connection=BUS)
def create_cosell_referral_dynamics_365_to_partner_center(message: func.ServiceBusMessage) -> None:
    """Flow 2: share an opportunity with Partner Center, and with Microsoft when help is asked for."""
    connector().run(Queue.CREATE_COSELL_REFERRAL, message.get_body(), messages.parse, flow_2.handle, delays.tell)


@app.timer_trigger("timer", schedule="0 */15 * * * *")
def sweep(timer: func.TimerRequest) -> None:
    """Reconcile what no event told."""
    connector().sweep()


@app.timer_trigger("timer", schedule="0 30 2 * * *")
def compare(timer: func.TimerRequest) -> None:
    """Once a night, compare every open deal."""
    connector().compare()


@app.timer_trigger("timer", schedule="0 0 7 * * *")
def remind(timer: func.TimerRequest) -> None:
    """Remind of inbound deals that are about to expire."""
    connector().remind()


@app.timer_trigger("timer", schedule="0 5 * * * *")
def watch(timer: func.TimerRequest) -> None:
    """Once an hour, look at the webhook's registration and at whom it believes."""
    connector().watch()
