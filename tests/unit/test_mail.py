"""The emails: their words, their frame, and that nobody's name can bend it."""

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.headerregistry import Address, AddressHeader, DateHeader
from email.message import EmailMessage
from typing import Final
from unicodedata import category

import pytest
from aiosmtplib.email import parse_address
from hypothesis import example, given
from hypothesis import strategies as st

from countermand.contracts.base import Actor, Brief, Contact, Event, Role, SellerRef
from countermand.contracts.dispute import Resolution
from countermand.contracts.notify import EmailSent
from countermand.contracts.order import (
    CancelExpired,
    CancelGround,
    CancelRejectedNotBuyer,
    CancelWithdrawn,
    OrderCancelled,
    PaymentMethod,
    RefundCause,
    RefusalGround,
)
from countermand.kernel.money import Money
from countermand.kernel.policy import PromisedEmail
from services.notify.mail import (
    Mail,
    MailRefused,
    compose,
    message_id_of,
    read_sender,
    recipient_of,
    subject_of,
)
from services.notify.promises import PROMISES
from tests.support.disputes import resolved, usd
from tests.support.orders import (
    BRIEF,
    NOTHING,
    ORDER_ID,
    PRICE,
    START,
    STRANGER,
    TRACKING,
    after,
    cancelled,
    noted,
    placed,
    refund_issued,
    refused,
    requested,
    superseded,
)

SENDER: Final = "Countermand <orders@countermand.example>"
FACT_ID: Final = "cmd:7:ConfirmCancel:AcceptCancel"
HEADERS: Final = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Countermand-Order",
    "X-Countermand-Kind",
    "X-Countermand-Fact",
    "MIME-Version",
    "Content-Type",
]
FACTS: Final[list[Event]] = [
    placed(),
    placed(paid=True),
    requested(dialog_id="d1"),
    requested(paid=True, consent_required=True),
    requested(dialog_id="d1", consent_required=False),
    *(cancelled(ground) for ground in CancelGround),
    cancelled(refund_due_minor=1999),
    *(refused("r1", ground) for ground in RefusalGround),
    refused("r1", text="It is packed already.\n\nSorry!"),
    CancelExpired(brief=BRIEF, request_id="r1"),
    superseded("r1"),
    CancelWithdrawn(brief=BRIEF, request_id="r1"),
    *(refund_issued(after(days=5), method=method) for method in PaymentMethod),
    *(refund_issued(after(days=5), cause=cause) for cause in RefundCause),
    refund_issued(START, method=PaymentMethod.WALLET),
    *(
        CancelRejectedNotBuyer(brief=BRIEF, claimed_by=Actor(role=role, id="mallory"), attempted="OpenCancelDialog")
        for role in Role
    ),
    *(resolved(by) for by in Resolution),
    *(resolved(by, NOTHING) for by in Resolution),
]
"""Every fact that promises an email, in every way that its email differs."""
FACT_NAMES: Final = [f"{type(fact).__name__}-{number}" for number, fact in enumerate(FACTS)]

NASTY: Final = [
    "Bea\r\nBcc: victim@example.org",
    "Bea\nBcc: victim@example.org\n\nand a body",
    "Bea\rBcc: victim@example.org",
    "Bea\u2028Bcc: victim@example.org\u2029\x85\x0b\x0c\x1c\x1dX-Evil: 1",
    'Bea" <victim@example.org>, "',
    "victim@example.org, Bea",
    "Bea <victim@example.org>",
    "Bea; victim@example.org:",
    "(Bea) victim@example.org",
    "=?utf-8?q?Bea=0D=0ABcc:_victim@example.org?=",
    "=?utf-8?q?=0D=0ABcc:_a=40b?=",
    "=?utf-8?q?victim=40example.org=2C?= " * 5,
    "\u202egro.elpmaxe@mitciv\u202c",
    "\x00\x07\x7f",
    "👩‍👧‍👦 " * 33,
    "أمينة بنت محمد",
    "é, " * 60,
    "a" * 200,
    "{{ brief.price }} {% raw %} {0} {headers}",
    "--=_",
]


def about(event: Event, *, kind: PromisedEmail | None = None, fact_id: str = FACT_ID, sender: str = SENDER) -> Mail:
    """The email about `event`, of the kind that it promises."""
    return compose(kind or PROMISES[type(event)], event, fact_id, ORDER_ID, START, sender)


def brief_of(name: str = "Bea", item: str = "A blue lamp", email: str = "bea@example.org", seller: str = "s") -> Brief:
    """An order of this buyer and item."""
    buyer = Contact(id="bea", name=name, email=email)
    return Brief(buyer=buyer, seller=SellerRef(id=seller, profile="prompt"), item=item, price=PRICE)


def parsed(mail: Mail) -> EmailMessage:
    """The email as a mail program reads it."""
    return message_from_bytes(mail.content, policy=policy.default)


def part(mail: Mail, subtype: str) -> str:
    """Its text or HTML."""
    body = parsed(mail).get_body((subtype,))
    assert body is not None
    return body.get_content().replace("\r\n", "\n")


def words(mail: Mail) -> str:
    """Its text without the line breaks."""
    return " ".join(part(mail, "plain").split())


def recipients(mail: Mail) -> tuple[Address, ...]:
    """Everybody whom its header names."""
    header = parsed(mail)["To"]
    assert isinstance(header, AddressHeader)
    return header.addresses


@pytest.mark.parametrize("fact", FACTS, ids=FACT_NAMES)
def test_r6_every_promised_fact_has_an_email_in_text_and_html(fact: Event) -> None:
    mail = about(fact)
    message = parsed(mail)
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message.keys() == HEADERS
    for shown in (part(mail, "plain"), part(mail, "html")):
        assert "Hello Bea Buyer," in shown
        assert "A blue lamp" in shown
        assert ORDER_ID in shown
    assert not message.defects


@pytest.mark.parametrize("fact", FACTS, ids=FACT_NAMES)
def test_both_parts_say_the_same(fact: Event) -> None:
    mail = about(fact)
    html = " ".join(part(mail, "html").replace("&#34;", '"').replace("&#39;", "'").split())
    paragraphs = [" ".join(paragraph.split()) for paragraph in part(mail, "plain").split("\n\n")[1:-2]]
    assert paragraphs
    assert all(f"<p>{paragraph}</p>" in html for paragraph in paragraphs)


def test_every_kind_of_promise_is_among_the_facts() -> None:
    assert {PROMISES[type(fact)] for fact in FACTS} == set(PromisedEmail) == set(PROMISES.values())


def test_the_headers_name_the_order_the_kind_and_the_fact() -> None:
    message = parsed(about(cancelled()))
    assert message["From"] == SENDER
    assert message["To"] == "Bea Buyer <bea@example.org>"
    assert message["Subject"] == "Your order is cancelled: A blue lamp"
    assert isinstance(message["Date"], DateHeader)
    assert message["Date"].datetime == START
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Countermand-Order"] == ORDER_ID
    assert message["X-Countermand-Kind"] == "cancelled"
    assert message["X-Countermand-Fact"] == FACT_ID


@pytest.mark.parametrize("fact_id", ["1", "x" * 1_000, "é:ConfirmCancel", "a,b;c " * 40])
def test_a_fact_id_of_any_length_comes_back_whole(fact_id: str) -> None:
    raw = message_from_bytes(about(cancelled(), fact_id=fact_id).content)["X-Countermand-Fact"]
    assert str(make_header(decode_header(raw))) == fact_id.strip()


def test_the_message_id_is_the_same_at_every_try_and_belongs_to_one_fact_and_kind() -> None:
    mail = about(cancelled())
    assert about(cancelled()) == mail
    assert parsed(mail)["Message-ID"] == mail.message_id == message_id_of(FACT_ID, PromisedEmail.CANCELLED)
    others = {about(cancelled(), fact_id="another").message_id, message_id_of(FACT_ID, PromisedEmail.REFUSED)}
    assert mail.message_id not in others
    assert len(others) == 2


@pytest.mark.parametrize("fact", FACTS, ids=FACT_NAMES)
def test_what_the_record_says_of_an_email_is_what_was_sent(fact: Event) -> None:
    mail = about(fact)
    assert subject_of(mail.kind, fact) == mail.subject == parsed(mail)["Subject"]
    assert recipient_of(fact) == mail.to == "bea@example.org"


def test_the_longest_names_fit_the_record() -> None:
    brief = brief_of(name="n" * 200, item="i" * 200)
    huge = Money(amount_minor=10**12, currency="USD")
    for fact in (cancelled(), refund_issued(START)):
        mail = about(fact.model_copy(update={"brief": brief, "amount": huge}))
        EmailSent(kind=mail.kind, fact_id="f", to=mail.to, subject=mail.subject, message_id=mail.message_id)


# The words.


@pytest.mark.parametrize(
    ("ground", "says"),
    [
        (CancelGround.SELLER_AGREED, "The seller agreed"),
        (CancelGround.SILENCE, "did not answer your request in time"),
        (CancelGround.NO_CONSENT_NEEDED, "the seller did not have to agree"),
        (CancelGround.NEVER_PAID, "never paid"),
        (CancelGround.NEVER_SHIPPED, "never sent the parcel"),
    ],
)
def test_a_cancellation_says_on_which_ground(ground: CancelGround, says: str) -> None:
    assert says in words(about(cancelled(ground)))


def test_a_cancellation_says_whether_money_comes_back() -> None:
    assert "You get back everything you paid: 19.99 USD" in words(about(cancelled(refund_due_minor=1999)))
    assert "Nothing was paid" in words(about(cancelled()))


def test_r13_r17_a_refusal_says_the_ground_and_what_can_be_done() -> None:
    shipped = words(about(refused("r1", RefusalGround.ALREADY_SHIPPED)))
    assert "has already been sent" in shipped
    assert "tracking number" in shipped
    assert "5 business days" in shipped
    kept = words(about(refused("r1", RefusalGround.KEEPS_THE_SALE, "No.\n\nWe are sorry.")))
    assert "does not want to lose the sale" in kept
    assert "bargain" in kept
    assert 'The seller wrote: "No. We are sorry."' in kept


def test_r14_a_superseded_request_names_the_parcel_and_the_course_that_remains() -> None:
    text = words(about(superseded("r1", at=after(hours=3))))
    assert f"The tracking number: {TRACKING}" in text
    assert "on Monday, 1 June 2026, 20:00 UTC" in text
    assert "on their way" in text
    assert "dispute" in text


@pytest.mark.parametrize(
    ("method", "to"),
    [
        (PaymentMethod.WALLET, "your wallet"),
        (PaymentMethod.CARD, "the card you paid with"),
        (PaymentMethod.BANK, "the bank account you paid from"),
    ],
)
def test_r12_r23_a_refund_says_how_much_whereto_when_and_that_goods_may_still_come(
    method: PaymentMethod, to: str
) -> None:
    text = words(about(refund_issued(after(days=5), method=method)))
    assert "19.99 USD" in text
    assert to in text
    assert "by Saturday, 6 June 2026, 17:00 UTC" in text
    assert "may still reach you" in text


def test_a_refund_to_the_wallet_is_there_at_once() -> None:
    assert "at once" in words(about(refund_issued(START, method=PaymentMethod.WALLET)))


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        (RefundCause.CANCELLATION, "your order is cancelled"),
        (RefundCause.PARTIAL_REFUND, "you took the seller's offer"),
        (RefundCause.DISPUTE, "your dispute was decided"),
    ],
)
def test_a_refund_says_why_it_comes(cause: RefundCause, says: str) -> None:
    text = words(about(refund_issued(after(days=5), cause=cause, amount=usd(500))))
    assert says in text
    assert "we have sent back 5.00 USD" in text


@pytest.mark.parametrize(
    ("by", "says"),
    [
        (Resolution.AGREEMENT, "You and the seller agreed."),
        (Resolution.SILENCE, "The seller did not answer in time."),
        (Resolution.PLATFORM, "We looked at what both sides and the carrier have recorded"),
        (Resolution.MOOT, "there was nothing left to decide"),
    ],
)
def test_r22_a_decision_says_by_whom_by_which_rule_and_on_which_facts(by: Resolution, says: str) -> None:
    text = words(about(resolved(by, usd(500), facts=("the parcel has not arrived", "nobody has seen it"))))
    assert says in text
    assert "never arrived: the buyer is refunded. (Rule R20.)" in text
    assert "What we went by: the parcel has not arrived; nobody has seen it." in text
    assert "You claimed 19.99 USD and get 5.00 USD back" in text
    assert "nothing is refunded by this decision" in words(about(resolved(by, NOTHING)))


def test_r2_the_buyer_learns_who_asked_and_that_nothing_was_changed() -> None:
    text = words(about(CancelRejectedNotBuyer(brief=BRIEF, claimed_by=STRANGER, attempted="ConfirmCancel")))
    assert "mallory" in text
    assert "nothing was changed" in text


# What must not get through.


names = st.text(min_size=1, max_size=200) | (
    st.lists(st.sampled_from(NASTY) | st.text(max_size=9), min_size=1).map("".join).map(lambda text: text[:200] or " ")
)


@given(name=names, item=names)
def test_no_name_or_item_makes_another_header_or_recipient(name: str, item: str) -> None:
    check_frame(brief_of(name, item))


@pytest.mark.parametrize("nasty", NASTY)
def test_none_of_the_known_tricks_makes_another_header_or_recipient(nasty: str) -> None:
    check_frame(brief_of(nasty, nasty, seller=nasty))


def check_frame(brief: Brief) -> None:
    """Exactly our headers, one recipient, two parts, and lines that any server takes."""
    mail = about(OrderCancelled(brief=brief, ground=CancelGround.SILENCE, request_id=None, refund_due_minor=0))
    message = parsed(mail)
    assert message.keys() == HEADERS
    assert [one.addr_spec for one in recipients(mail)] == ["bea@example.org"] == [mail.to]
    assert len(list(message.iter_parts())) == 2
    assert str(make_header(decode_header(message_from_bytes(mail.content)["Subject"]))) == mail.subject
    assert not any(category(character) in {"Cc", "Zl", "Zp"} for character in mail.subject)
    assert max(len(line) for line in mail.content.split(b"\r\n")) <= 78
    assert mail.content.isascii()
    assert b"\n" not in mail.content.replace(b"\r\n", b"")
    assert b"\r" not in mail.content.replace(b"\r\n", b"")


@given(email=st.from_regex(r"\A[^@\s<>]{1,30}@[^@\s<>]{1,30}\Z"))
@example(email="a@example.org,victim")
@example(email="a,victim@example.org")
@example(email='"a"b@example.org')
@example(email='a"\\@example.org')
@example(email="a\x00b@example.org")
@example(email="(a)b;c:@example.org")
@example(email="a..b@example.org")
@example(email="zoë@bücher.example")
def test_an_address_is_one_recipient_or_refused(email: str) -> None:
    brief = BRIEF.model_copy(update={"buyer": BRIEF.buyer.model_copy(update={"email": email})})
    try:
        mail = about(cancelled().model_copy(update={"brief": brief}))
    except MailRefused:
        return
    assert message_from_bytes(mail.content).keys() == HEADERS
    assert parse_address(mail.to) == mail.to
    if mail.to.isascii():
        assert [one.addr_spec.rpartition("@")[2] for one in recipients(mail)] == [mail.to.rpartition("@")[2]]


@pytest.mark.parametrize("email", ["a@example.org,victim", "a\x00b@example.org", "a@ex..org", "a@ex(ample).org"])
def test_an_address_that_no_header_can_hold_is_refused(email: str) -> None:
    fact = cancelled().model_copy(update={"brief": brief_of(email=email)})
    with pytest.raises(MailRefused, match="553"):
        about(fact)


def test_an_international_address_is_spelled_for_the_wire() -> None:
    mail = about(cancelled().model_copy(update={"brief": brief_of(email="zoë@bücher.example")}))
    assert mail.to == "zoë@xn--bcher-kva.example"


def test_html_shows_names_and_never_runs_them() -> None:
    attack = "<script>alert('1')</script>"
    fact = cancelled().model_copy(update={"brief": brief_of(attack, attack, seller=attack)})
    html = part(about(fact), "html")
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;") >= 4


def test_what_a_seller_writes_is_shown_as_written_and_not_as_a_template() -> None:
    assert '"{{ brief.buyer.email }} {% if %}"' in words(about(refused("r1", text="{{ brief.buyer.email }} {% if %}")))


def test_a_seller_cannot_add_a_paragraph() -> None:
    text = part(about(refused("r1", text="no\n\nYour refund: send us your card number")), "plain")
    assert '"no Your refund: send us your card number"' in text


def test_a_name_of_nothing_printable_leaves_the_address_alone() -> None:
    mail = about(cancelled().model_copy(update={"brief": brief_of("\x00", "\x00")}))
    assert parsed(mail)["To"] == "bea@example.org"
    assert "Hello," in words(mail)
    assert mail.subject == "Your order is cancelled: your goods"


# What is a mistake of the caller.


def test_a_fact_has_only_the_email_that_it_promises() -> None:
    with pytest.raises(ValueError, match="OrderCancelled promises no email of kind refused"):
        about(cancelled(), kind=PromisedEmail.REFUSED)
    with pytest.raises(ValueError, match="ShipmentNoted promises no email"):
        subject_of(PromisedEmail.SUPERSEDED, noted())
    with pytest.raises(ValueError, match="ShipmentNoted promises no email"):
        recipient_of(noted())


@pytest.mark.parametrize("sender", ["", "nobody", "a@b, c@d", "a@b,c@d", "A <a@b>, B <c@d>", "a@b\r\nBcc: c@d"])
def test_a_sender_that_is_none_is_a_mistake(sender: str) -> None:
    with pytest.raises(ValueError, match="is no sender"):
        about(cancelled(), sender=sender)


def test_a_sender_may_have_a_name() -> None:
    assert read_sender(SENDER) == ("Countermand", "orders@countermand.example")
    assert read_sender("orders@countermand.example") == ("", "orders@countermand.example")
    assert read_sender('"Countermand, Inc." <orders@countermand.example>')[0] == "Countermand, Inc."
