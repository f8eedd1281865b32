"""The emails: what each promised fact tells the buyer, as the bytes that SMTP carries. Pure.

A template holds the words of one kind once: its first line is the subject, its paragraphs become both the text and the
HTML part, so that the two never differ. The frame is written here rather than by `EmailMessage`, which takes 1 ms a
mail and, on older patch releases, refolds a name into further recipients: every header is either short printable ASCII
or encoded words, and neither can hold a line break, a quote or a comma of somebody's name.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from countermand.contracts.base import Brief, Event
from countermand.kernel.policy import PromisedEmail

_SUBJECT_ITEM_MAX: Final = 80
"""Characters of the item in a subject: enough to know it by, and `EmailSent.subject` holds 200 in all."""

_NAMELESS: Final = "your goods"
"""What an item is called whose name holds nothing printable."""

_LINE_MAX: Final = 76
"""Octets of a header line that holds an encoded word (RFC 2047, section 2)."""

_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Controls, line and paragraph separators, what overrides the direction of the text after it, and halves of pairs."""

_PLAIN: Final = re.compile(r"(?!.*=\?)[\x20-\x7e]*")
"""What a header may hold as it is: printable ASCII that nobody reads as an encoded word."""

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9' -]+")
_ATOM: Final = r'[^\s"(),:;<>@\[\]\\.]+'
_LOCAL_PART: Final = re.compile(rf'{_ATOM}(\.{_ATOM})*|"(?:[^"\\]|\\.)*"')
_DOMAIN: Final = re.compile(r"[\w-]+(\.[\w-]+)*|\[[\w.:]+\]", re.ASCII)

_NO_SUCH_ADDRESS: Final = 553
"""The SMTP answer to an address that is none (RFC 5321, section 4.2.3)."""

_FRAME: Final = """\
{headers}\
MIME-Version: 1.0\r
Content-Type: multipart/alternative; boundary="{boundary}"\r
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
    fact_id: str
    order_id: str
    sender: str
    to: str
    subject: str
    message_id: str
    content: bytes


def compose(  # noqa: PLR0913 (an email is about that many things)
    kind: PromisedEmail, event: Event, fact_id: str, order_id: str, sent_at: datetime, sender: str
) -> Mail:
    """The email of that kind about `event`, whose id is `fact_id`: the same arguments give the same bytes.

    Args:
        sender: `address` or `Name <address>`.

    Raises:
        MailRefused: no header or SMTP command can carry the buyer's address.
        ValueError: the event promises no such email, or the sender is no address.
    """
    brief = _brief(kind, event)
    to = _addr_spec(brief.buyer.email)
    from_name, from_address = _sender(sender)
    id_ = message_id(kind, fact_id)
    shown = {"brief": brief, "buyer": _clean(brief.buyer.name), "item": _clean(brief.item) or _NAMELESS}
    subject, paragraphs = _words(kind, shown | {"event": event})
    layout = shown | {"subject": subject, "paragraphs": paragraphs, "order_id": order_id}
    headers = (
        _address("From", from_name, from_address),
        _address("To", brief.buyer.name, to),
        _header("Subject", subject),
        _header("Date", format_datetime(sent_at)),
        _header("Message-ID", id_),
        _header("Auto-Submitted", "auto-generated"),
        _header("X-Countermand-Order", order_id),
        _header("X-Countermand-Kind", kind),
        _header("X-Countermand-Fact", fact_id),
    )
    content = _FRAME.format(
        headers="".join(headers),
        boundary=f"=_{id_[1:33]}",  # Quoted-printable writes every `=` as `=3D`: no part can hold it.
        text=_quoted(_TEXT.render(layout)),
        html=_quoted(_HTML.render(layout)),
    )
    return Mail(kind, fact_id, order_id, from_address, to, subject, id_, content.encode())


def message_id(kind: PromisedEmail, fact_id: str) -> str:
    """The Message-ID of the email of that kind about that fact: the same at every try, so that a repeat is known."""
    return f"<{blake2b(f'{fact_id}/{kind}'.encode(), digest_size=16).hexdigest()}@countermand.example>"


def _brief(kind: PromisedEmail, event: Event) -> Brief:
    brief = getattr(event, "brief", None)
    if PROMISES.get(type(event)) is not kind or not isinstance(brief, Brief):
        msg = f"{type(event).__name__} promises no email of kind {kind}"
        raise ValueError(msg)
    return brief


def _sender(sender: str) -> tuple[str, str]:
    name, address = parseaddr(sender)
    try:
        return name, _addr_spec(address)
    except MailRefused as error:
        msg = f"{sender!r} is no sender: expected an address, or Name <address>"
        raise ValueError(msg) from error


def _addr_spec(address: str) -> str:
    """`address` as headers and SMTP commands spell it: the local part quoted if it must be, the domain in ASCII.

    Raises:
        MailRefused: they cannot.
    """
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


def _words(kind: PromisedEmail, shown: dict[str, Any]) -> tuple[str, list[str]]:
    """The subject and the paragraphs. A value never holds a line break, so it can forge neither."""
    words = _KINDS[kind].render(shown, short_item=_short(shown["item"]))
    subject, *paragraphs = (" ".join(paragraph.split()) for paragraph in words.split("\n\n"))
    return subject, [paragraph for paragraph in paragraphs if paragraph]


def _short(item: str) -> str:
    return item if len(item) <= _SUBJECT_ITEM_MAX else item[: _SUBJECT_ITEM_MAX - 1] + "…"


def _header(field: str, value: str) -> str:
    value = _clean(value)
    if len(field) + 2 + len(value) > _LINE_MAX or not _PLAIN.fullmatch(value):
        value = _encoded(field, value)
    return f"{field}: {value}\r\n"


def _address(field: str, name: str, address: str) -> str:
    name = _clean(name)
    if not name:
        return f"{field}: {address}\r\n"
    if len(field) + 2 + len(name) > _LINE_MAX or not _PLAIN_NAME.fullmatch(name):
        name = _encoded(field, name)
    return f"{field}: {name}\r\n <{address}>\r\n"


def _encoded(field: str, value: str) -> str:
    return Header(value, "utf-8", maxlinelen=_LINE_MAX, header_name=field).encode(linesep="\r\n")


def _quoted(text: str) -> str:
    return b2a_qp(text.replace("\n", "\r\n").encode()).decode()


def _clean(text: str) -> str:
    """`text` on one line, of printable characters only."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def _shown(value: object) -> object:
    """What a template shows of a value; what it has already rendered stays as it is."""
    return _clean(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _moment(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{at:%A}, {at.day} {at:%B} {at.year}, {at:%H:%M} UTC"


def _money(amount_minor: int, currency: str) -> Money:
    return Money(amount_minor=amount_minor, currency=currency)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=PackageLoader("services.notify"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"moment": _moment, "money": _money}
    return environment


_TEMPLATES: Final = _environment()
_TEXT: Final = _TEMPLATES.get_template("layout.txt")
_HTML: Final = _TEMPLATES.get_template("layout.html")
_KINDS: Final = {kind: _TEMPLATES.get_template(f"{kind}.txt") for kind in PromisedEmail}
