"""Does what somebody asked for on a page, and tells what became of it."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from countermand.contracts.base import Actor, Command, Role
from countermand.contracts.order import OpenCancelDialog
from countermand.runtime.facts import Fact
from services.web.commands import Away, Refusal
from services.web.pages.asks import command_of
from services.web.pages.forms import FormError, Values
from services.web.pages.people import NEWCOMER, chosen
from services.web.parts import Web
from services.web.readmodel.allowed import Action
from services.web.readmodel.answers import OrderDetail

ANSWER_WITHIN_S: Final = 10.0
"""How long a person waits for what follows; the page goes on showing what comes later."""

_READ_S: Final = 8.0
"""How long the answer waits for the read model, so that the page that follows shows what was just done: longer than it
waits itself for a broker that has just come back and lost its question (`READ_TIMEOUT_S`)."""

BROKER_AWAY: Final = "The message broker does not answer. Nothing can be asked for until it is back: please try again."
_NOT_YOURS: Final = "This is not your order. Nothing was sent to the seller, and the buyer is told of it."
_SLOW: Final = "No answer came in time. Please try again."
_NOT_OFFERED: Final = "Please choose one of what is offered."


@dataclass(frozen=True, slots=True)
class Done:
    """`error`: why nothing was done, in words; `event`: what followed, if it followed in time."""

    error: str = ""
    event: Fact | None = None


async def do(web: Web, request: Request, detail: OrderDetail, side: Role, action: Action, values: Values) -> Done:
    """Send the command of an action about an order, and wait for what follows."""
    try:
        command = command_of(action, detail.view, _actor(request, detail, side), values)
    except FormError as error:
        return Done(str(error))
    except ValueError:
        return Done(_NOT_OFFERED)
    if isinstance(command, OpenCancelDialog):
        command = command.model_copy(update={"seller_record": detail.record})
    done = await sent(web, detail.view.order_id, command)
    if done.event is not None and done.event.name == "CancelRejectedNotBuyer":
        return Done(_NOT_YOURS)
    if action is Action.CANCEL and not done.error and done.event is None:
        return Done(_SLOW)  # Without its dialog there is nothing to go on with.
    return done


async def sent(web: Web, order_id: str, command: Command, key: str | None = None) -> Done:
    """Send a command, and wait for what follows."""
    try:
        stored = await web.commands.send(order_id, command, key)
    except Away:
        return Done(BROKER_AWAY)
    try:
        found = await web.commands.answer(stored, ANSWER_WITHIN_S)
    except Away:  # It is stored: who asked again would ask twice.
        return Done()
    if isinstance(found, Refusal):
        return Done(found.detail)
    if found is not None:
        await web.follower.reached(found.owner, found.sequence, _READ_S)
    return Done(event=found)


def _actor(request: Request, detail: OrderDetail, side: Role) -> Actor:
    """Who asks. A buyer is whoever the browser says it is: asking about somebody else's order is refused (R2)."""
    order = detail.view.order
    seller = order.brief.seller.id if order else ""
    return Actor(role=side, id=seller if side is Role.SELLER else chosen(request, "buyer", NEWCOMER))
