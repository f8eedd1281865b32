"""What every message of the published language has in common."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from countermand.kernel.money import Money

Name = Annotated[str, Field(min_length=1, max_length=200)]
"""A person's or a thing's name. Escaped wherever it is shown; line breaks are legal here and never reach a mail header."""

Text = Annotated[str, Field(max_length=2_000)]
"""Something a person wrote."""

Reference = Annotated[str, Field(min_length=1, max_length=1_000)]
"""The id of a message that this one answers."""


EmailAddress = Annotated[str, Field(max_length=254, pattern=r"^[^@\s<>]+@[^@\s<>]+$")]
"""Where emails reach somebody (RFC 5321 allows 254 characters)."""


class Owner(StrEnum):
    """Who may publish a message's subject, and whose stream keeps it."""

    ORDER = "order"
    SELLER = "seller"
    DISPUTE = "dispute"
    NOTIFY = "notify"


class Role(StrEnum):
    """In what capacity somebody acts."""

    BUYER = "buyer"
    SELLER = "seller"
    PLATFORM = "platform"
    OPERATOR = "operator"


class Message(BaseModel):
    """A frozen body. Unknown fields are ignored, so that a newer writer does not break an older reader."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    owner: ClassVar[Owner]
    """For a command: the service that it asks. For an event: the service that recorded it."""

    version: ClassVar[int] = 1
    """The version in `ce-type`: fields required of readers are never added within one."""


class Actor(BaseModel):
    """Who sends a command."""

    model_config = ConfigDict(frozen=True)

    role: Role
    id: Name


class Command(Message):
    """Something that somebody asks a service to do. It may be refused."""

    actor: Actor


class Event(Message):
    """Something that has happened. It is never refused."""


class Contact(BaseModel):
    """A person whom emails reach."""

    model_config = ConfigDict(frozen=True)

    id: Name
    name: Name
    email: EmailAddress


class SellerRef(BaseModel):
    """A seller and the profile by which it is simulated; `manual` means that a person or another system answers."""

    model_config = ConfigDict(frozen=True)

    id: Name
    profile: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


class SellerRecord(BaseModel):
    """What buyers can see of a seller (R24): positive feedback in percent, and the number of orders it comes from."""

    model_config = ConfigDict(frozen=True)

    positive_percent: float = Field(ge=0, le=100)
    orders: int = Field(ge=0)


class Brief(BaseModel):
    """What a listener needs to know of an order to act on one of its events without asking: whose, from whom, for what."""

    model_config = ConfigDict(frozen=True)

    buyer: Contact
    seller: SellerRef
    item: Name
    price: Money
