"""The order: what follows when a command meets a state. Pure; the table of R1-R16, P1-P5, P9, P11-P14, X1-X4, X7, X8, X10."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

from countermand.contracts.base import Actor, Role
from countermand.contracts.order import (
    AcceptanceSuperseded,
    AcknowledgePayment,
    AskSellerToCancel,
    CancelDialogOpened,
    CancelExpired,
    CancelGround,
    CancelPath,
    CancelReason,
    CancelRefused,
    CancelRejectedNotBuyer,
    CancelRequested,
    CancelRequestRepeated,
    CancelSuperseded,
    CancelWithdrawn,
    ConfirmCancel,
    Goods,
    OpenCancelDialog,
    OrderCancelled,
    OrderClosed,
    OrderDelivered,
    OrderPlaced,
    Outcome,
    PaymentAcknowledged,
    PlaceOrder,
    RefundIssued,
    RefundReceived,
    ShipmentNoted,
    ShipmentSuperseded,
    WithdrawCancel,
)
from countermand.kernel.decider import Deadline, Decider, Decision, Premature, Refused
from countermand.kernel.draw import draw_between
from countermand.kernel.money import Ledger, Money, Refund
from countermand.kernel.policy import OnSilence, Span
from countermand.kernel.terms import Terms
from services.order.advice import advice
from services.order.commands import (
    CancelAsAgreed,
    CancelWithoutConsent,
    CloseOrder,
    CloseUnpaid,
    CloseUnshipped,
    EndProtection,
    EndSilence,
    HearMessage,
    IssueRefund,
    NoteDelivery,
    NoteShipment,
    OrderCommand,
    ReceiveRefund,
    RefuseRequest,
)
from services.order.state import (
    Active,
    Cancelled,
    CancelPending,
    Closed,
    DialogOpen,
    Due,
    Facts,
    Order,
    Parcel,
    Unplaced,
)

OrderEvent: TypeAlias = (
    OrderPlaced
    | PaymentAcknowledged
    | CancelDialogOpened
    | CancelRequested
    | CancelRequestRepeated
    | CancelRejectedNotBuyer
    | CancelRefused
    | CancelExpired
    | CancelSuperseded
    | CancelWithdrawn
    | OrderCancelled
    | AcceptanceSuperseded
    | ShipmentNoted
    | ShipmentSuperseded
    | OrderDelivered
    | RefundIssued
    | RefundReceived
    | OrderClosed
)

_PENDING = Refused("request_pending", "A cancellation request is already waiting for its answer.")
_CANCELLED = Refused("already_cancelled", "The order is cancelled already.")
_CLOSED = Refused("order_closed", "The order has ended.")
_SHIPPED = Refused("already_shipped", "The parcel is on its way: ask the seller for a refund, or open a dispute.")
_CONTACT = Refused(
    "contact_the_seller", "The payment is confirmed: only the seller can cancel now. Contact the seller."
)
_NO_REQUEST = Refused("no_such_request", "No such request is pending.")


def decide(command: OrderCommand, state: Order, now: datetime) -> Decision[OrderEvent]:
    """What follows when `command` meets `state` at `now`: one event, a refusal to tell the sender, or nothing."""
    match command, state:
        # Placing and paying
        case PlaceOrder(), Unplaced(terms=terms):
            return _place(command, terms, now)
        case PlaceOrder(), Active() | DialogOpen() | CancelPending() | Cancelled() | Closed():
            return Refused("already_placed", "An order with this id exists.")
        case _, Unplaced():
            return Premature("OrderPlaced")
        case AcknowledgePayment(actor=Actor(role=role)), _ if role is not Role.PLATFORM:
            return Refused("not_the_platform", "Only the platform confirms payments.")
        case AcknowledgePayment(), Active() | DialogOpen() | CancelPending() | Cancelled() | Closed() if (
            state.facts.paid
        ):
            return Refused("already_paid", "The payment was confirmed before.")
        case AcknowledgePayment(), Active() | DialogOpen() | CancelPending():
            return _acknowledge(state.facts, now, late=False)
        case AcknowledgePayment(), Cancelled() | Closed():
            return _acknowledge(state.facts, now, late=True)

        # Asking for the cancellation
        case OpenCancelDialog() | ConfirmCancel() | AskSellerToCancel(), _ if not _is_buyer(command.actor, state.facts):
            name = type(command).__name__
            return CancelRejectedNotBuyer(brief=state.facts.brief, claimed_by=command.actor, attempted=name)
        case HearMessage(actor=actor), _ if not _is_buyer(actor, state.facts):
            return CancelRejectedNotBuyer(
                brief=state.facts.brief, claimed_by=actor, attempted="MessageSeller", message_id=command.message_id
            )
        case OpenCancelDialog(reason=reason), Active(facts=facts) | DialogOpen(facts=facts):
            return _why_no_button(facts) or CancelDialogOpened(
                reason=reason, advice=advice(facts, reason, now), lapses_at=now + _dialog_window(facts.terms)
            )
        case ConfirmCancel(dialog_id=asked), DialogOpen(id=shown, facts=facts) if asked == shown:
            if now > state.lapses_at:
                return Refused("dialog_lapsed", "The dialog was open for too long: press Cancel again.")
            return _why_no_button(facts) or _request(facts, now, CancelPath.SELF_SERVICE, state.reason, dialog_id=asked)
        case ConfirmCancel(), Active() | DialogOpen():
            return Refused("dialog_unknown", "This dialog is not open: press Cancel again.")
        case AskSellerToCancel(reason=reason, text=text), Active(facts=facts) | DialogOpen(facts=facts):
            return _SHIPPED if facts.shipped else _request(facts, now, CancelPath.CONTACT, reason, text=text)
        case HearMessage(reason=reason, text=text), Active(facts=facts) | DialogOpen(facts=facts):
            return None if facts.shipped else _request(facts, now, CancelPath.CONTACT, reason, text=text)
        case HearMessage(message_id=message_id), CancelPending(facts=facts, request_id=pending):
            return CancelRequestRepeated(brief=facts.brief, request_id=pending, message_id=message_id)
        case HearMessage(), Cancelled() | Closed():
            return None
        case OpenCancelDialog() | ConfirmCancel() | AskSellerToCancel(), CancelPending():
            return _PENDING
        case OpenCancelDialog() | ConfirmCancel() | AskSellerToCancel(), Cancelled():
            return _CANCELLED
        case OpenCancelDialog() | ConfirmCancel() | AskSellerToCancel(), Closed():
            return _CLOSED
        case WithdrawCancel(actor=actor), _ if not _is_buyer(actor, state.facts):
            return Refused("not_the_buyer", "Only the buyer may take the request back.")
        case WithdrawCancel(request_id=asked), CancelPending(request_id=pending, facts=facts) if asked == pending:
            return CancelWithdrawn(brief=facts.brief, request_id=asked)
        case WithdrawCancel(), Active() | DialogOpen() | CancelPending() | Cancelled() | Closed():
            return _NO_REQUEST

        # The seller's answer, or its silence
        case CancelWithoutConsent(request_id=asked), CancelPending(request_id=pending, facts=facts) if asked == pending:
            return _cancel(facts, CancelGround.NO_CONSENT_NEEDED, pending)
        case CancelWithoutConsent(), Active() | DialogOpen() | CancelPending() | Cancelled() | Closed():
            return None
        case CancelAsAgreed(request_id=asked), CancelPending(request_id=pending, facts=facts) if asked == pending:
            return _cancel(facts, CancelGround.SELLER_AGREED, pending)
        case CancelAsAgreed(request_id=asked), Active(facts=facts) | DialogOpen(facts=facts) | CancelPending(
            facts=facts
        ):
            # An unknown request cannot be superseded; a shipped parcel is past holding.
            known = asked in facts.requests and not facts.shipped
            return AcceptanceSuperseded(brief=facts.brief, request_id=asked) if known else None
        case CancelAsAgreed(), Cancelled() | Closed():
            return None  # It ends as the seller agreed, whoever decided it.
        case RefuseRequest(request_id=asked), CancelPending(request_id=pending, facts=facts) if asked == pending:
            return CancelRefused(brief=facts.brief, request_id=asked, ground=command.ground, text=command.text)
        case RefuseRequest(), Active() | DialogOpen() | CancelPending() | Cancelled() | Closed():
            return None
        case EndSilence(deadline_id=asked), CancelPending(request_id=pending, facts=facts) if asked == pending:
            return _end_silence(state, now)
        case EndSilence(), Active() | DialogOpen() | CancelPending() | Cancelled() | Closed():
            return None

        # The parcel
        case NoteShipment(), _ if state.facts.shipped:
            return None
        case NoteShipment(tracking_number=number, shipped_at=at), Active() | DialogOpen():
            return ShipmentNoted(tracking_number=number, shipped_at=at)
        case NoteShipment(tracking_number=number, shipped_at=at), CancelPending(facts=facts, request_id=pending):
            return CancelSuperseded(brief=facts.brief, request_id=pending, tracking_number=number, shipped_at=at)
        case NoteShipment(tracking_number=number, shipped_at=at), Cancelled() | Closed():
            return ShipmentSuperseded(tracking_number=number, shipped_at=at)
        case NoteDelivery(), _ if not state.facts.shipped:
            return Premature("Shipped")
        case NoteDelivery(), _ if state.facts.parcel is not None and state.facts.parcel.delivered_at is not None:
            return None
        case NoteDelivery(delivered_at=at), Active(facts=facts) | DialogOpen(facts=facts) | CancelPending(facts=facts):
            ends = at + timedelta(days=facts.terms.policy.protection_ends_after_days)
            return OrderDelivered(delivered_at=at, protected_until=ends, after_cancellation=False)
        case NoteDelivery(delivered_at=at), Cancelled() | Closed():
            return OrderDelivered(delivered_at=at, protected_until=None, after_cancellation=True)

        # Time limits
        case CloseUnpaid(deadline_id=asked), Active(facts=facts) | DialogOpen(facts=facts) | CancelPending(facts=facts):
            return (
                _cancel(facts, CancelGround.NEVER_PAID, _pending(state)) if _is_due(facts.pay_by, asked, now) else None
            )
        case CloseUnshipped(deadline_id=asked), Active(facts=facts) | DialogOpen(facts=facts) | CancelPending(
            facts=facts
        ):
            return (
                _cancel(facts, CancelGround.NEVER_SHIPPED, _pending(state))
                if _is_due(facts.ship_by, asked, now)
                else None
            )
        case EndProtection(deadline_id=asked), Active(facts=facts) | DialogOpen(facts=facts) | CancelPending(
            facts=facts
        ):
            return (
                _close(facts, Outcome.COMPLETED) if facts.paid and _is_due(facts.protected_until, asked, now) else None
            )
        case CloseUnpaid() | CloseUnshipped() | EndProtection(), Cancelled() | Closed():
            return None

        # Settling
        case IssueRefund(), Cancelled(facts=facts, ground=ground) if facts.ledger.owed_minor:
            return _refund(facts, ground, now)
        case IssueRefund(), Closed(facts=facts, ground=CancelGround() as ground) if facts.ledger.owed_minor:
            return _refund(facts, ground, now)  # Money that came after the order had closed (X3).
        case IssueRefund(), Active() | DialogOpen() | CancelPending() | Cancelled() | Closed():
            return None
        case ReceiveRefund(deadline_id=asked), Cancelled(facts=facts) | Closed(facts=facts):
            return _receive(facts, asked, now)
        case ReceiveRefund(), Active() | DialogOpen() | CancelPending():
            return None
        case CloseOrder(), Cancelled(facts=facts, ground=ground) if (
            not facts.ledger.owed_minor and facts.ledger.all_received
        ):
            return _close(facts, _outcome(ground, paid=facts.paid))
        case CloseOrder(), Active() | DialogOpen() | CancelPending() | Cancelled() | Closed():
            return None
        case _:
            assert_never((command, state))


def evolve(state: Order, event: OrderEvent, event_id: str) -> Order:
    """The order after `event`."""
    match event:
        case OrderPlaced():
            return Active(_placed_facts(state, event, event_id))
        case _ if isinstance(state, Unplaced):
            msg = f"{type(event).__name__} cannot be the first event of an order"
            raise ValueError(msg)
        case PaymentAcknowledged(amount=amount, ship_by=ship_by):
            return replace(
                state,
                facts=replace(
                    state.facts,
                    ledger=state.facts.ledger.capture(amount.amount_minor),
                    pay_by=None,
                    ship_by=Due(ship_by, event_id) if ship_by else None,
                ),
            )
        case CancelDialogOpened(reason=reason, lapses_at=lapses_at):
            return DialogOpen(state.facts, event_id, reason, lapses_at)
        case CancelRequested(answer_by=answer_by):
            waits = state.facts.terms.policy.on_silence is OnSilence.WAIT
            facts = replace(state.facts, requests=(*state.facts.requests, event_id))
            return CancelPending(facts, event_id, None if waits else answer_by)
        case CancelRefused() | CancelExpired() | CancelWithdrawn():
            return Active(state.facts)
        case CancelSuperseded(tracking_number=number, shipped_at=at):
            return Active(_shipped(state.facts, number, at))
        case OrderCancelled(ground=ground):
            return Cancelled(replace(state.facts, pay_by=None, ship_by=None, protected_until=None), ground)
        case (
            ShipmentNoted(tracking_number=number, shipped_at=at)
            | ShipmentSuperseded(tracking_number=number, shipped_at=at)
        ):
            return replace(state, facts=_shipped(state.facts, number, at))
        case OrderDelivered(delivered_at=at, protected_until=until):
            return replace(state, facts=_delivered(state.facts, at, Due(until, event_id) if until else None))
        case RefundIssued(amount=amount, arrives_at=arrives_at):
            facts = replace(
                state.facts,
                ledger=state.facts.ledger.issue(Refund(event_id, amount.amount_minor)),
                arriving=(*state.facts.arriving, Due(arrives_at, event_id)),
            )
            return replace(state, facts=facts)
        case RefundReceived(refund_id=refund_id):
            facts = replace(
                state.facts,
                ledger=state.facts.ledger.receive(refund_id),
                arriving=tuple(due for due in state.facts.arriving if due.id != refund_id),
            )
            return replace(state, facts=facts)
        case OrderClosed(outcome=outcome):
            ground = state.ground if isinstance(state, Cancelled | Closed) else None
            return Closed(state.facts, outcome, ground)
        case CancelRequestRepeated() | CancelRejectedNotBuyer() | AcceptanceSuperseded():
            return state
        case _:
            assert_never(event)


def deadlines(state: Order) -> tuple[Deadline, ...]:
    """Every reminder that the order wants in this state."""
    match state:
        case Unplaced():
            return ()
        case Active(facts=facts) | DialogOpen(facts=facts):
            return _limits(facts)
        case CancelPending(facts=facts, request_id=request_id, answer_by=answer_by):
            answer = (Deadline("AnswerDue", request_id, answer_by),) if answer_by else ()
            return (*answer, *_limits(facts))
        case Cancelled(facts=facts) | Closed(facts=facts):
            return tuple(Deadline("RefundDue", due.id, due.at) for due in facts.arriving)
        case _:
            assert_never(state)


ORDER: Decider[OrderCommand, Order, OrderEvent] = Decider(Unplaced, decide, evolve, deadlines)


def _place(command: PlaceOrder, terms: Terms, now: datetime) -> Decision[OrderEvent]:
    if command.actor.id != command.brief.buyer.id or command.actor.role is not Role.BUYER:
        return Refused("not_the_buyer", "An order is placed by its buyer.")
    if command.brief.price.amount_minor == 0:
        return Refused("nothing_to_pay", "The price must be above zero.")
    if too_fast := terms.too_fast():
        return Refused("clock_too_fast", too_fast)
    return OrderPlaced(
        brief=command.brief,
        payment_method=command.payment_method,
        paid=command.paid,
        terms=command.terms,
        placed_at=now,
        pay_by=None if command.paid else now + timedelta(days=terms.policy.unpaid_closes_after_days),
        ship_by=_ship_by(terms, now) if command.paid else None,
        run_id=command.run_id,
    )


def _acknowledge(facts: Facts, now: datetime, *, late: bool) -> PaymentAcknowledged:
    awaits_shipment = not (late or facts.shipped)
    return PaymentAcknowledged(
        brief=facts.brief,
        amount=facts.brief.price,
        acknowledged_at=now,
        ship_by=_ship_by(facts.terms, now) if awaits_shipment else None,
        late=late,
    )


def _request(
    facts: Facts, now: datetime, path: CancelPath, reason: CancelReason, *, text: str = "", dialog_id: str | None = None
) -> CancelRequested:
    policy = facts.terms.policy
    return CancelRequested(
        brief=facts.brief,
        path=path,
        reason=reason,
        text=text,
        dialog_id=dialog_id,
        paid=facts.paid,
        requested_at=now,
        answer_by=now + timedelta(hours=policy.seller_answers_within_h),
        consent_required=facts.paid or policy.consent_for_unpaid,
    )


def _cancel(facts: Facts, ground: CancelGround, request_id: str | None) -> OrderCancelled:
    return OrderCancelled(
        brief=facts.brief, ground=ground, request_id=request_id, refund_due_minor=facts.ledger.owed_minor
    )


def _end_silence(state: CancelPending, now: datetime) -> OrderCancelled | CancelExpired | None:
    if state.answer_by is None or now < state.answer_by:
        return None
    match state.facts.terms.policy.on_silence:
        case OnSilence.CANCEL:
            return _cancel(state.facts, CancelGround.SILENCE, state.request_id)
        case OnSilence.REFUSE:
            return CancelExpired(brief=state.facts.brief, request_id=state.request_id)
        case OnSilence.WAIT:
            return None
        case _ as never:
            assert_never(never)


def _refund(facts: Facts, ground: CancelGround, now: datetime) -> RefundIssued:
    return RefundIssued(
        brief=facts.brief,
        amount=Money(amount_minor=facts.ledger.owed_minor, currency=facts.brief.price.currency),
        method=facts.payment_method,
        ground=ground,
        issued_at=now,
        arrives_at=_arrival(facts, now),
    )


def _arrival(facts: Facts, now: datetime) -> datetime:
    """When a refund reaches the buyer (P11): drawn once an order, at once where the span is zero."""
    span: Span = getattr(facts.terms.policy.refund_transit_business_days, facts.payment_method)
    days = draw_between(span.low, span.high, facts.terms.seed, facts.order_id, "P11")
    return facts.terms.policy.business_days.add_business_days(now, days) if days else now


def _receive(facts: Facts, refund_id: str, now: datetime) -> RefundReceived | None:
    arriving = next((due for due in facts.arriving if due.id == refund_id), None)
    refund = facts.ledger.refund(refund_id)
    if arriving is None or refund is None or now < arriving.at:
        return None
    amount = Money(amount_minor=refund.amount_minor, currency=facts.brief.price.currency)
    return RefundReceived(refund_id=refund_id, amount=amount)


def _close(facts: Facts, outcome: Outcome) -> OrderClosed:
    refunded = Money(amount_minor=facts.ledger.refunded_minor, currency=facts.brief.price.currency)
    return OrderClosed(outcome=outcome, goods=_goods(facts.parcel), refunded=refunded)


def _outcome(ground: CancelGround, *, paid: bool) -> Outcome:
    match ground:
        case CancelGround.NEVER_SHIPPED:
            return Outcome.NEVER_SHIPPED_REFUNDED
        case CancelGround.NEVER_PAID:
            return Outcome.CANCELLED_REFUNDED if paid else Outcome.UNPAID_EXPIRED
        case CancelGround.SELLER_AGREED | CancelGround.SILENCE | CancelGround.NO_CONSENT_NEEDED:
            return Outcome.CANCELLED_REFUNDED if paid else Outcome.CANCELLED_UNPAID
        case _:
            assert_never(ground)


def _goods(parcel: Parcel | None) -> Goods:
    if parcel is None:
        return Goods.NOT_SHIPPED
    return Goods.DELIVERED if parcel.delivered_at else Goods.TRAVELLING


def _why_no_button(facts: Facts) -> Refused | None:
    """Why the Cancel button is not offered (R3, R9, R11, P12)."""
    if facts.shipped:
        return _SHIPPED
    return _CONTACT if facts.paid and not facts.terms.policy.self_service_after_payment else None


def _dialog_window(terms: Terms) -> timedelta:
    """P1 is in real minutes: on a fast clock the dialog stays open for many simulated ones."""
    return timedelta(minutes=terms.policy.dialog_lapses_after_min) * terms.clock.rate


def _ship_by(terms: Terms, now: datetime) -> datetime:
    return terms.policy.business_days.add_business_days(now, terms.policy.seller_ships_within_business_days)


def _is_buyer(actor: Actor, facts: Facts) -> bool:
    return actor.role is Role.BUYER and actor.id == facts.brief.buyer.id


def _is_due(due: Due | None, deadline_id: str, now: datetime) -> bool:
    return due is not None and due.id == deadline_id and now >= due.at


def _pending(state: Active | DialogOpen | CancelPending) -> str | None:
    return state.request_id if isinstance(state, CancelPending) else None


def _limits(facts: Facts) -> tuple[Deadline, ...]:
    limits: list[Deadline] = []
    if facts.pay_by and not facts.paid:
        limits.append(Deadline("PaymentDue", facts.pay_by.id, facts.pay_by.at))
    if facts.ship_by and facts.paid and not facts.shipped:
        limits.append(Deadline("ShipmentDue", facts.ship_by.id, facts.ship_by.at))
    if facts.protected_until and facts.paid:
        limits.append(Deadline("ProtectionEnds", facts.protected_until.id, facts.protected_until.at))
    return tuple(limits)


def _placed_facts(state: Order, event: OrderPlaced, event_id: str) -> Facts:
    return Facts(
        terms=state.terms if isinstance(state, Unplaced) else state.facts.terms,
        order_id=state.order_id if isinstance(state, Unplaced) else state.facts.order_id,
        brief=event.brief,
        payment_method=event.payment_method,
        placed_at=event.placed_at,
        pay_by=Due(event.pay_by, event_id) if event.pay_by else None,
        ship_by=Due(event.ship_by, event_id) if event.ship_by else None,
        ledger=Ledger(event.brief.price.amount_minor if event.paid else 0),
    )


def _shipped(facts: Facts, tracking_number: str, at: datetime) -> Facts:
    return replace(facts, parcel=Parcel(tracking_number, at), ship_by=None)


def _delivered(facts: Facts, at: datetime, protected_until: Due | None) -> Facts:
    parcel = replace(facts.parcel, delivered_at=at) if facts.parcel else None
    return replace(facts, parcel=parcel, protected_until=protected_until)
