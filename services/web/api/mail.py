"""The emails, as the mailbox has them."""

from http import HTTPStatus
from typing import Annotated, Any, Final

import httpx
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from services.web.api.bodies import OrderId
from services.web.api.problems import ProblemError, documented
from services.web.parts import Web, WebParts

mail: Final = APIRouter(prefix="/api/mail", tags=["mail"])

_LIMIT_MAX: Final = 1_000


class MailOut(BaseModel):
    """An email that arrived. `from` and `to` are the envelope's."""

    id: int
    message_id: str
    order_id: str
    kind: str
    sender: str = Field(alias="from")
    to: str
    subject: str
    received_at: str


class MailBodyOut(MailOut):
    """What it says; nothing for a part that it does not have."""

    text: str | None
    html: str | None
    headers: str


@mail.get("", responses=documented())
async def list_mail(
    web: WebParts,
    order: Annotated[OrderId | None, Query(description="only the emails about this order")] = None,
    limit: Annotated[int, Query(ge=1, le=_LIMIT_MAX)] = 100,
) -> list[MailOut]:
    """The emails that have arrived, the newest last."""
    asked = {"limit": limit} | ({"order": order} if order else {})
    return [MailOut.model_validate(one) for one in await ask_mailbox(web, "/messages", asked)]


@mail.get("/{mail_id}", responses=documented(HTTPStatus.NOT_FOUND))
async def get_mail(web: WebParts, mail_id: Annotated[int, Path(ge=0, lt=2**63)]) -> MailBodyOut:
    """One email with its parts, as long as the mailbox keeps it."""
    return MailBodyOut.model_validate(await ask_mailbox(web, f"/messages/{mail_id}", {}))


async def ask_mailbox(web: Web, path: str, query: dict[str, Any]) -> Any:
    """What the mailbox answers.

    Raises:
        ProblemError: there is no mailbox, it does not answer, or it has no such message.
    """
    if web.mail is None:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "no_mailbox", "The emails go to a mail server of your own.")
    try:
        answer = await web.mail.get(path, params=query)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise ProblemError(HTTPStatus.NOT_FOUND, "no_such_mail", "There is no such email, or it is too old.")
        return answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        detail = "The mailbox does not answer."
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "mailbox_away", detail) from error
