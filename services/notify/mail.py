"""The emails: what each promised fact tells the buyer, as the bytes that SMTP carries. Pure.

A template holds the words of one kind once: its first line is the subject, and its paragraphs become both the text and
the HTML part, so that the two never differ. The frame is written here rather than by `EmailMessage`, which takes 1 ms a
mail and, on older patch releases, refolds a name into further recipients: every header is either short printable ASCII
or encoded words, and neither can hold a line break, a quote or a comma of somebody's name.
"""

import contextlib
import re
from binascii import b2a_qp
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime
from hashlib import blake2b
from typing import Any, Final

from jinja2 import PackageLoader, StrictUndefined, Template, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from countermand.contracts.base import Brief, Event
from countermand.kernel.money import Money
from countermand.kernel.policy import PromisedEmail
from services.notify.promises import PROMISES

_SUBJECT_ITEM_MAX: Final = 80
"""Characters of the item in a subject: enough to know it by, and `EmailSent.subject` holds 200 in all."""

_NAMELESS: Final = "your goods"
"""What an item is called whose name holds nothing printable."""

_LINE_MAX: Final = 76
"""Octets of a header line that holds an encoded word (RFC 2047, section 2)."""

_NO_SUCH_ADDRESS: Final = 553
"""The SMTP answer to an address that is none (RFC 5321, section 4.2.3)."""

_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Controls, line and paragraph separators, what overrides the direction of the text after it, and halves of pairs."""

_PLAIN: Final = re.compile(r"(?!.*=\?)[\x20-\x7e]*")
"""What a header may hold as it is: printable ASCII that nobody reads as an encoded word."""

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9' -]+")
_ATOM: Final = r'[^\s"(),:;<>@\[\]\\.]+'
_LOCAL_PART: Final = re.compile(rf'{_ATOM}(\.{_ATOM})*|"(?:[^"\\]|\\.)*"')
_SENDER: Final = re.compile(r"(?P<name>[^<>]*?) *<(?P<address>[^@<>]+@[^@<>]+)>|(?P<bare>[^@\s<>]+@[^@\s<>]+)")
_DOMAIN: Final = re.compile(r"[\w-]+(\.[\w-]+)*|\[[\w.:]+\]", re.ASCII)

_FRAME: Final = """\
{headers}\
MIME-Version: 1.0\r
Content-Type: multipart/alternative;\r
 boundary="{boundary}"\r
\r
--{boundary}\r
Content-Type: text/plain; charset="utf-8"\r
Content-Transfer-Encoding: quoted-printable\r
\r
{text}\r
--{boundary}\r
Content-Type: text/html; charset="utf-8"\r
Content-Transfer-Encoding: quoted-printable\r
\r
{html}\r
--{boundary}--\r
"""


class MailRefused(Exception):
    """This mail can never be delivered: a server refused it for good (5xx), or its address is none to ask one about."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Mail:
    """One email, ready to send. `sender` and `to` are the envelope's: bare addresses."""

    kind: PromisedEmail
    sender: str
    to: str
    subject: str
    message_id: str
    content: bytes


def compose(kind: PromisedEmail, event: Event, fact_id: str, order_id: str, sent_at: datetime, sender: str) -> Mail:
    """The email of that kind about `event`, whose id is `fact_id`: the same arguments give the same bytes.

    Args:
        sender: `address` or `Name <address>`.

    Raises:
        MailRefused: no header or SMTP command can carry the buyer's address.
        ValueError: the event promises no such email, or the sender is no address.
    """
    shown = _shown(kind, event)
    brief: Brief = shown["brief"]
    subject = _subject(kind, shown)
    message_id = message_id_of(fact_id, kind)
    from_name, from_address = read_sender(sender)
    to = _addr_spec(brief.buyer.email)
    headers = (
        _address("From", from_name, from_address),
        _address("To", brief.buyer.name, to),
        _header("Subject", subject),
        _header("Date", format_datetime(sent_at)),
        _header("Message-ID", message_id),
        _header("Auto-Submitted", "auto-generated"),
        _header("X-Countermand-Order", order_id),
        _header("X-Countermand-Kind", kind),
        _header("X-Countermand-Fact", fact_id),
    )
    layout = shown | {"subject": subject, "paragraphs": _paragraphs(kind, shown), "order_id": order_id}
    content = _FRAME.format(
        headers="".join(headers),
        boundary=f"=_{message_id[1:33]}",  # Quoted-printable writes every `=` as `=3D`: no part can hold it.
        text=_quoted(_TEXT.render(layout)),
        html=_quoted(_HTML.render(layout)),
    )
    return Mail(kind, from_address, to, subject, message_id, content.encode())


def message_id_of(fact_id: str, kind: PromisedEmail) -> str:
    """The Message-ID of the email of that kind about that fact: the same at every try, so that a repeat is known."""
    return f"<{blake2b(f'{fact_id}/{kind}'.encode(), digest_size=16).hexdigest()}@countermand.example>"


def subject_of(kind: PromisedEmail, fact: Event) -> str:
    """The subject of the email of that kind about `fact`: one line, 1 to 200 characters.

    Raises:
        ValueError: the fact promises no such email.
    """
    return _subject(kind, _shown(kind, fact))


def recipient_of(fact: Event) -> str:
    """The buyer's address as the order gives it, 3 to 254 characters; whether a mail can reach it, `compose` finds out.

    Raises:
        ValueError: the fact promises no email.
    """
    return _brief(fact).buyer.email


def read_sender(sender: str) -> tuple[str, str]:
    """The name, perhaps empty, and the address of `address` or `Name <address>`.

    Raises:
        ValueError: it is neither.
    """
    found = _SENDER.fullmatch(sender)
    if found is not None and not _UNPRINTABLE.search(sender):
        with contextlib.suppress(MailRefused):
            return (found["name"] or "").strip('"'), _addr_spec(found["address"] or found["bare"])
    msg = f"{sender!r} is no sender: expected an address, or Name <address>"
    raise ValueError(msg)


def _brief(fact: Event) -> Brief:
    brief = getattr(fact, "brief", None)
    if not isinstance(brief, Brief):
        msg = f"{type(fact).__name__} promises no email"
        raise ValueError(msg)  # noqa: TRY004 (a fact of the wrong kind, not a value of the wrong type)
    return brief


def _shown(kind: PromisedEmail, event: Event) -> dict[str, Any]:
    """What the templates may show."""
    if PROMISES.get(type(event)) is not kind:
        msg = f"{type(event).__name__} promises no email of kind {kind}"
        raise ValueError(msg)
    brief = _brief(event)
    item = _clean(brief.item) or _NAMELESS
    buyer = _clean(brief.buyer.name)
    return {"event": event, "brief": brief, "buyer": buyer, "item": item, "moment": _moment, "money": _money}


def _subject(kind: PromisedEmail, shown: dict[str, Any]) -> str:
    item: str = shown["item"]
    short = item if len(item) <= _SUBJECT_ITEM_MAX else item[: _SUBJECT_ITEM_MAX - 1] + "…"
    return _SUBJECTS[kind].render(shown, item=short)


def _paragraphs(kind: PromisedEmail, shown: dict[str, Any]) -> list[str]:
    """The words of the email. A value never holds a line break, so it cannot begin a paragraph."""
    words = (" ".join(paragraph.split()) for paragraph in _WORDS[kind].render(shown).split("\n\n"))
    return [paragraph for paragraph in words if paragraph]


def _addr_spec(address: str) -> str:
    """`address` as headers and SMTP commands spell it: the local part quoted if it must be, the domain in ASCII."""
    local, _, domain = address.rpartition("@")
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError:
        domain = ""
    if not local or _UNPRINTABLE.search(local) or not _DOMAIN.fullmatch(domain):
        raise MailRefused(_NO_SUCH_ADDRESS, f"{address!r} is no address that an email can be sent to")
    if not _LOCAL_PART.fullmatch(local):
        local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{local}@{domain}"


def _header(field: str, value: str) -> str:
    value = _clean(value)
    if len(field) + len(": ") + len(value) > _LINE_MAX or not _PLAIN.fullmatch(value):
        value = _encoded(field, value)
    return f"{field}: {value}\r\n"


def _address(field: str, name: str, address: str) -> str:
    name = _clean(name)
    if not name:
        return f"{field}: {address}\r\n"
    if len(field) + len(": ") + len(name) > _LINE_MAX or not _PLAIN_NAME.fullmatch(name):
        name = _encoded(field, name)
    return f"{field}: {name}\r\n <{address}>\r\n"


def _encoded(field: str, value: str) -> str:
    return Header(value, "utf-8", maxlinelen=_LINE_MAX, header_name=field).encode(linesep="\r\n")


def _quoted(text: str) -> str:
    return b2a_qp(text.replace("\n", "\r\n").encode()).decode()


def _clean(text: str) -> str:
    """`text` on one line, of printable characters only."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def _printable(value: object) -> object:
    """What a template writes for a value."""
    return _clean(value) if isinstance(value, str) else value


def _moment(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{at:%A}, {at.day} {at:%B} {at.year}, {at:%H:%M} UTC"


def _money(amount_minor: int, currency: str) -> Money:
    return Money(amount_minor=amount_minor, currency=currency)


def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=PackageLoader("services.notify"),
        autoescape=select_autoescape(["html"], default_for_string=False),
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _kinds(environment: ImmutableSandboxedEnvironment) -> tuple[dict[str, Template], dict[str, Template]]:
    """The subject and the words of every kind: the first line of its file, and the rest."""
    loader = PackageLoader("services.notify")
    subjects: dict[str, Template] = {}
    words: dict[str, Template] = {}
    for kind in PromisedEmail:
        subject, _, rest = loader.get_source(environment, f"{kind}.txt")[0].partition("\n")
        subjects[kind], words[kind] = environment.from_string(subject), environment.from_string(rest)
    return subjects, words


_TEMPLATES: Final = _environment()
_TEXT: Final = _TEMPLATES.get_template("layout.txt")
_HTML: Final = _TEMPLATES.get_template("layout.html")
_SUBJECTS, _WORDS = _kinds(_TEMPLATES)
