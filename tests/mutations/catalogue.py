"""One mutation a rule: the change to the code under which the rule's own test, or a story that plays it, must fail.

The names say what the marketplace would then do wrong. `python -m tests.mutations` tries them all.
"""

from dataclasses import dataclass
from typing import Final

_STORY: Final = "story:"


@dataclass(frozen=True, slots=True)
class Mutation:
    """A rule undone.

    Attributes:
        rule: an id of `tests.mutations.rules.RULES`.
        name: what goes wrong, as a sentence.
        file: where, from the root of the repository.
        find: source text that occurs exactly once in the file.
        replace: what stands there instead.
        proof: a file, whose tests that name the rule are run, or `story:` and the name of a story that plays it.
    """

    rule: str
    name: str
    file: str
    find: str
    replace: str
    proof: str

    @property
    def story(self) -> str | None:
        """The story that proves it, if one does."""
        return self.proof.removeprefix(_STORY) if self.proof.startswith(_STORY) else None

    def apply(self, source: str) -> str:
        """The mutated source.

        Raises:
            ValueError: the text to replace is not there exactly once.
        """
        if (found := source.count(self.find)) != 1:
            msg = f"its text occurs {found} times in {self.file}"
            raise ValueError(msg)
        return source.replace(self.find, self.replace)


_ADVICE: Final = "services/order/advice.py"
_ANSWERING: Final = "services/order/answering.py"
_ASKING: Final = "services/order/asking.py"
_PAYING: Final = "services/order/paying.py"
_RECEIVING: Final = "services/order/receiving.py"
_SETTLING: Final = "services/order/settling.py"
_SELLER: Final = "services/seller/decider.py"
_DISPUTE: Final = "services/dispute/decider.py"
_SELLER_ANSWERING: Final = "services/seller/answering.py"
_OPENING: Final = "services/dispute/opening.py"
_OFFERS: Final = "services/dispute/offers.py"
_RULING: Final = "services/dispute/ruling.py"

_ORDER_TEST: Final = "tests/unit/test_order_decider.py"
_SELLER_TEST: Final = "tests/unit/test_seller_decider.py"
_DISPUTE_TEST: Final = "tests/unit/test_dispute_decider.py"
_CALENDAR_TEST: Final = "tests/unit/test_calendar.py"

RULES_UNDONE: Final = (
    Mutation(
        rule="R1",
        name="the request forgets the buyer's reason",
        file=_ASKING,
        find="CancelPath.SELF_SERVICE, state.reason, dialog_id=asked",
        replace="CancelPath.SELF_SERVICE, CancelReason.NO_LONGER_NEEDED, dialog_id=asked",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="R2",
        name="any buyer is taken for the buyer of the order",
        file=_ASKING,
        find="return actor.role is Role.BUYER and actor.id == facts.brief.buyer.id",
        replace="return actor.role is Role.BUYER",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="R3",
        name="the button is offered to nobody",
        file=_ASKING,
        find="return _CONTACT if facts.paid and not facts.terms.policy.self_service_after_payment else None",
        replace="return _CONTACT",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="R4",
        name="an unconfirmed dialog sends the request",
        file=_ASKING,
        find="""\
            return _why_no_button(facts) or CancelDialogOpened(
                reason=reason,
                advice=advice(facts, reason, now, command.seller_record),
                seller_record=command.seller_record,
                lapses_at=now + _dialog_window(facts.terms),
            )
""",
        replace="""\
            return _why_no_button(facts) or _request(facts, now, CancelPath.SELF_SERVICE, reason)
""",
        proof="story:change-of-mind",
    ),
    Mutation(
        rule="R5",
        name="the seller's yes ends nothing",
        file=_ANSWERING,
        find="            return cancel(facts, CancelGround.SELLER_AGREED, pending)\n",
        replace="            return None\n",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="R6",
        name="no email says that the order has been cancelled",
        file="services/notify/promises.py",
        find="    OrderCancelled: PromisedEmail.CANCELLED,\n",
        replace="",
        proof="story:change-of-mind",
    ),
    Mutation(
        rule="R7",
        name="a message does not reach a seller whom the request did not",
        file=_SELLER_ANSWERING,
        find="profile.hears_requests if command.path is CancelPath.SELF_SERVICE else profile.reads_messages",
        replace="profile.hears_requests",
        proof=_SELLER_TEST,
    ),
    Mutation(
        rule="R8",
        name="the seller can be asked to cancel after the shipping",
        file=_ASKING,
        find="return _SHIPPED if facts.shipped else _request(",
        replace="return _request(",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="R9",
        name="the button stays after the payment",
        file=_ASKING,
        find="return _CONTACT if facts.paid and not facts.terms.policy.self_service_after_payment else None",
        replace="return None",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="R10",
        name="a paid order is cancelled without its refund",
        file=_ANSWERING,
        find="refund_due_minor=facts.ledger.owed_minor,",
        replace="refund_due_minor=0,",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="R11",
        name="the button stays after the shipping",
        file=_ASKING,
        find="    if facts.shipped:\n        return _SHIPPED\n",
        replace="",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="R12",
        name="goods that arrive after the refund are hidden",
        file=_RECEIVING,
        find="return OrderDelivered(delivered_at=at, protected_until=None, after_cancellation=True)",
        replace="return None",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="R13",
        name="bargaining never changes a seller's mind",
        file=_SELLER_ANSWERING,
        find='f"agrees:{len(desk.answered) + 1}"',
        replace='"agrees:1"',
        proof=_SELLER_TEST,
    ),
    Mutation(
        rule="R14",
        name="a parcel that has left cannot be disputed",
        file=_OPENING,
        find="return None if view.shipped_at is not None else _why_not_unsent(view, now)",
        replace="return _why_not_unsent(view, now)",
        proof=_DISPUTE_TEST,
    ),
    Mutation(
        rule="R15",
        name="a seller takes twice the time that it needs to send",
        file=_SELLER,
        find="ships_at=now + handling)",
        replace="ships_at=now + 2 * handling)",
        proof=_SELLER_TEST,
    ),
    Mutation(
        rule="R16",
        name="a seller whose parcel has left says that it keeps the sale",
        file=_SELLER_ANSWERING,
        find="ground=RefusalGround.ALREADY_SHIPPED, text=text",
        replace="ground=RefusalGround.KEEPS_THE_SALE, text=text",
        proof=_SELLER_TEST,
    ),
    Mutation(
        rule="R17",
        name="a number proves the shipment though no carrier has scanned it",
        file=_RULING,
        find='return Ruling(claim, "R17", tuple(facts), why)',
        replace='return Ruling(0, "R17", tuple(facts), why)',
        proof=_DISPUTE_TEST,
    ),
    Mutation(
        rule="R18",
        name="a seller who has no number to show cannot be disputed",
        file=_OPENING,
        find="if view.unavailable or view.number is not None or now > view.provide_by:",
        replace="if view.number is not None or now > view.provide_by:",
        proof=_DISPUTE_TEST,
    ),
    Mutation(
        rule="R19",
        name="the platform never steps in",
        file=_DISPUTE,
        find="return unsent and calendar.day(scanned_at) > calendar.day(case.opened_at)",
        replace="return False",
        proof=_DISPUTE_TEST,
    ),
    Mutation(
        rule="R20",
        name="an order that was never sent is refunded by half",
        file=_RULING,
        find='return Ruling(claim, "R20", tuple(facts), "The order was never sent: the buyer is refunded in full.")',
        replace='return Ruling(claim // 2, "R20", tuple(facts), "The buyer is refunded by half.")',
        proof=_DISPUTE_TEST,
    ),
    Mutation(
        rule="R21",
        name="a part conceded becomes the whole",
        file=_SETTLING,
        find="return _refund(facts, RefundCause.PARTIAL_REFUND, amount, now)",
        replace="return _refund(facts, RefundCause.PARTIAL_REFUND, facts.ledger.owed_minor, now)",
        proof="story:a-part-conceded",
    ),
    Mutation(
        rule="R22",
        name="a claim on perfect goods is granted",
        file=_RULING,
        find='return Ruling(0, "R22", tuple(facts), why)',
        replace='return Ruling(claim, "R22", tuple(facts), why)',
        proof=_DISPUTE_TEST,
    ),
    Mutation(
        rule="R23",
        name="every refund goes to a bank account",
        file=_SETTLING,
        find="method=facts.payment_method,",
        replace="method=type(facts.payment_method).BANK,",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="R24",
        name="whatever a seller does, its feedback is good",
        file="services/seller/reactions.py",
        find="positive=not event.against_seller)",
        replace="positive=True)",
        proof="story:the-sellers-record",
    ),
    Mutation(
        rule="R25",
        name="silent sellers answer",
        file="services/seller/profiles.py",
        find='"silent": Profile(answers_after=None,',
        replace='"silent": Profile(answers_after=AT_ONCE,',
        proof=_SELLER_TEST,
    ),
    Mutation(
        rule="R26",
        name="a reseller refunds its customer before it is too late",
        file=_RECEIVING,
        find="    if not (facts.shipped or facts.refused):\n",
        replace="    if False:\n",
        proof="story:reseller-in-time",
    ),
    Mutation(
        rule="R27",
        name="nobody advises against a late change of mind",
        file=_ADVICE,
        find='return "This comes late: the parcel may already be on its way, and then the order cannot be cancelled."',
        replace='return ""',
        proof=_ORDER_TEST,
    ),
)

POLICIES_UNDONE: Final = (
    Mutation(
        rule="P1",
        name="the dialog lapses by the simulated clock",
        file=_ASKING,
        find="timedelta(minutes=terms.policy.dialog_lapses_after_min) * terms.clock.rate",
        replace="timedelta(minutes=terms.policy.dialog_lapses_after_min)",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="P2",
        name="the seller's hours are days",
        file=_ASKING,
        find="timedelta(hours=policy.seller_answers_within_h)",
        replace="timedelta(days=policy.seller_answers_within_h)",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="P3",
        name="silence means no, whatever the policy says",
        file=_ANSWERING,
        find="return cancel(state.facts, CancelGround.SILENCE, state.request_id)",
        replace="return CancelExpired(brief=state.facts.brief, request_id=state.request_id)",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="P4",
        name="an unpaid order has weeks instead of days",
        file=_PAYING,
        find="timedelta(days=terms.policy.unpaid_closes_after_days)",
        replace="timedelta(weeks=terms.policy.unpaid_closes_after_days)",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="P5",
        name="the shipping limit counts weekends too",
        file=_PAYING,
        find="return terms.policy.business_days.add_business_days(now, terms.policy.seller_ships_within_business_days)",
        replace="return now + timedelta(days=terms.policy.seller_ships_within_business_days)",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="P6",
        name="the time to show a tracking number never ends",
        file=_OPENING,
        find="if view.unavailable or view.number is not None or now > view.provide_by:",
        replace="if view.unavailable or view.number is not None:",
        proof=_DISPUTE_TEST,
    ),
    Mutation(
        rule="P7",
        name="the seller's silence denies the claim",
        file=_DISPUTE,
        find='Resolution.SILENCE, case.claim.amount_minor, "P7"',
        replace='Resolution.SILENCE, 0, "P7"',
        proof=_DISPUTE_TEST,
    ),
    Mutation(
        rule="P8",
        name="a negotiation never ends",
        file=_DISPUTE,
        find="return DisputeEscalated(dispute_id=case.id, why=why) if now >= until else None",
        replace="return None",
        proof=_DISPUTE_TEST,
    ),
    Mutation(
        rule="P9",
        name="buyer protection counts hours instead of days",
        file=_RECEIVING,
        find="timedelta(days=facts.terms.policy.protection_ends_after_days)",
        replace="timedelta(hours=facts.terms.policy.protection_ends_after_days)",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="P10",
        name="goods that are not sent back are paid for all the same",
        file=_DISPUTE,
        find='Resolution.AGREEMENT, 0, "P10"',
        replace='Resolution.AGREEMENT, state.remedy.amount.amount_minor, "P10"',
        proof=_DISPUTE_TEST,
    ),
    Mutation(
        rule="P11",
        name="every refund arrives at once",
        file=_SETTLING,
        find="return facts.terms.policy.business_days.add_business_days(now, days) if days else now",
        replace="return now",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="P12",
        name="the button goes with the payment, whatever the policy says",
        file=_ASKING,
        find="return _CONTACT if facts.paid and not facts.terms.policy.self_service_after_payment else None",
        replace="return _CONTACT if facts.paid else None",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="P13",
        name="the seller must agree, whatever the policy says",
        file=_ASKING,
        find="consent_required=facts.paid or policy.consent_for_unpaid,",
        replace="consent_required=True,",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="P14",
        name="weekends are business days",
        file="countermand/kernel/calendar.py",
        find="return day.weekday() < _SATURDAY and day not in self.holidays",
        replace="return day not in self.holidays",
        proof=_CALENDAR_TEST,
    ),
    Mutation(
        rule="P15",
        name="everything counts against the seller, whatever the policy says",
        file=_SETTLING,
        find="against_seller=against in facts.terms.policy.against_seller,",
        replace="against_seller=against is not None,",
        proof="story:forgiving-marketplace",
    ),
    Mutation(
        rule="P16",
        name="anything may be proposed, whatever the policy says",
        file=_OFFERS,
        find="    if _kind(remedy, claim) not in policy.proposals:\n",
        replace="    if False:\n",
        proof=_DISPUTE_TEST,
    ),
)

RACES_UNDONE: Final = (
    Mutation(
        rule="X1",
        name="a request is still pending when the parcel has left",
        file=_RECEIVING,
        find="return CancelSuperseded(brief=facts.brief, request_id=pending, tracking_number=number, shipped_at=at)",
        replace="return ShipmentNoted(tracking_number=number, shipped_at=at)",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="X2",
        name="a seller who has accepted ships all the same",
        file=_SELLER,
        find="        case ShipOrder(), Held(accepted=True):\n            return _ACCEPTED\n",
        replace="",
        proof="story:accepted-and-held",
    ),
    Mutation(
        rule="X3",
        name="a payment after the cancellation is kept",
        file=_PAYING,
        find="late = isinstance(state, Cancelled | Closed | Resolved)",
        replace="late = False",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="X4",
        name="a message alone asks for nothing",
        file=_ASKING,
        find="return None if facts.shipped else _request(facts, now, CancelPath.CONTACT, reason, text=text)",
        replace="return None",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="X5",
        name="a later hour of the same day is too late",
        file=_DISPUTE,
        find="return unsent and calendar.day(scanned_at) > calendar.day(case.opened_at)",
        replace="return unsent and scanned_at > case.opened_at",
        proof=_DISPUTE_TEST,
    ),
    Mutation(
        rule="X6",
        name="a parcel that leaves a refunded order is hidden",
        file=_RECEIVING,
        find="            return ShipmentSuperseded(tracking_number=number, shipped_at=at)\n",
        replace="            return None\n",
        proof="story:nothing-to-show",
    ),
    Mutation(
        rule="X7",
        name="a second confirmation makes a second request",
        file=_ASKING,
        find="            return _PENDING\n",
        replace="            return _request(state.facts, now, CancelPath.CONTACT, CancelReason.NO_LONGER_NEEDED)\n",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="X8",
        name="a seller who accepts too late is not told",
        file=_ANSWERING,
        find="return AcceptanceSuperseded(brief=state.facts.brief, request_id=asked) if known else None",
        replace="return None",
        proof=_ORDER_TEST,
    ),
    Mutation(
        rule="X9",
        name="an acceptance counts for whatever offer stands by then",
        file=_OFFERS,
        find="if side is None or offer is None or offer.id != offer_id:",
        replace="if side is None or offer is None:",
        proof=_DISPUTE_TEST,
    ),
    Mutation(
        rule="X10",
        name="a request that was withdrawn still waits on the seller's desk",
        file=_SELLER,
        find="return ParcelReleased(ended_id=ended, ships_at=None) if state.desk.waits(ended) else None",
        replace="return None",
        proof=_SELLER_TEST,
    ),
    Mutation(
        rule="X11",
        name="a second refund is not the remainder",
        file=_SETTLING,
        find="amount_minor = min(amount_minor, facts.ledger.owed_minor)",
        replace="amount_minor = facts.ledger.captured_minor",
        proof="story:a-part-then-all",
    ),
    Mutation(
        rule="X12",
        name="what follows from a message has another id each time that it is delivered",
        file="countermand/runtime/handler.py",
        find="own_id = event_id(envelope.id, type(command).__name__)",
        replace="own_id = event_id(envelope.id, str(__import__('time').perf_counter_ns()))",
        proof="story:everything-twice",
    ),
)

MUTATIONS: Final[tuple[Mutation, ...]] = (*RULES_UNDONE, *POLICIES_UNDONE, *RACES_UNDONE)
"""Every rule's mutation, in the order of the rules."""
