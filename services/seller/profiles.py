"""The sellers, as data (R25): who answers, how, when, and how fast the parcel leaves."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from countermand.contracts.dispute import Stance

AT_ONCE: Final = timedelta()


@dataclass(frozen=True, slots=True)
class Profile:
    """How a seller behaves. Times are simulated.

    Attributes:
        answers_after: how long an answer takes; nothing: never answers.
        agrees: the probability of a yes, from 0 to 1.
        hears_requests: whether requests by the button arrive (R7); what is written always does.
        reads_messages: whether a buyer's message stops the parcel and is heard.
        ships_after: from the payment to the hand-over; nothing: never ships.
        ships_unpaid: ships without waiting for the payment.
        hears_cancellations: whether the warehouse learns that an order was cancelled without the seller.
        scanned_after: from the hand-over to the carrier's first scan.
        arrives_after: from the hand-over to the buyer's door.
        manual: a person answers and ships.
        lies: says that the parcel has left when it has not (ground A).
        fakes_tracking: shows a tracking number that no carrier will ever scan (R17).
        in_disputes: what it says to a claim; nothing: it never answers.
        offers_percent: how much of the claim it offers, if that is what it does.
        shows_evidence: whether it can show something when it contests.
    """

    answers_after: timedelta | None = AT_ONCE
    agrees: float = 1.0
    hears_requests: bool = True
    reads_messages: bool = True
    ships_after: timedelta | None = timedelta(days=3)
    ships_unpaid: bool = False
    hears_cancellations: bool = True
    scanned_after: timedelta = timedelta(hours=12)
    arrives_after: timedelta = timedelta(days=4)
    manual: bool = False
    lies: bool = False
    fakes_tracking: bool = False
    in_disputes: Stance | None = Stance.CONTESTS
    offers_percent: int = 0
    shows_evidence: bool = True

    def sends(self, *, paid: bool) -> bool:
        """Whether this seller plans the parcel of an order by itself."""
        return self.ships_after is not None and (paid or self.ships_unpaid)


PROFILES: Final[dict[str, Profile]] = {
    # Agrees at once; ships after three days.
    "prompt": Profile(),
    # Thinks about it for two days, then agrees.
    "slow": Profile(answers_after=timedelta(days=2), ships_after=timedelta(days=6)),
    # Gets everything and answers nothing, but ships.
    "silent": Profile(answers_after=None, reads_messages=False, ships_after=timedelta(days=6), in_disputes=None),
    # Takes the money and disappears.
    "never-ships": Profile(answers_after=None, reads_messages=False, ships_after=None, in_disputes=None),
    # Never gets the button's requests; reads what the buyer writes, and agrees.
    "unreachable": Profile(hears_requests=False, ships_after=timedelta(days=6)),
    # Does not want to lose the sale (ground B).
    "keeps-the-sale": Profile(agrees=0.0),
    # Gives in to one request of two: bargaining pays (R13).
    "wavering": Profile(agrees=0.5),
    # Agrees to everything and holds the parcel back for long.
    "generous": Profile(ships_after=timedelta(days=8), in_disputes=Stance.CONCEDES),
    # Says that the parcel has left and shows a number; there is no parcel.
    "fake-tracking": Profile(agrees=0.0, lies=True, fakes_tracking=True, ships_after=None),
    # Keeps the sale, sends nothing, and only then, under a dispute, hands the parcel over.
    "late-shipper": Profile(agrees=0.0, ships_after=timedelta(days=9)),
    # Ships in time; would rather give something back than lose face (R21).
    "conciliatory": Profile(ships_after=timedelta(hours=1), in_disputes=Stance.OFFERS, offers_percent=30),
    # Ships in time; contests every claim, and shows evidence.
    "stubborn": Profile(ships_after=timedelta(hours=1), agrees=0.0),
    # Ships in time; contests without anything to show.
    "bluffing": Profile(ships_after=timedelta(hours=1), agrees=0.0, shows_evidence=False),
    # Sends within the hour of the payment: the window is short (R15).
    "fast-shipper": Profile(ships_after=timedelta(hours=1), answers_after=timedelta(days=2)),
    # Sends before the money is there.
    "eager": Profile(ships_after=timedelta(hours=1), ships_unpaid=True, answers_after=timedelta(days=2)),
    # Answers nothing, and the warehouse does not hear that an order was cancelled over its head.
    "careless": Profile(
        answers_after=None, reads_messages=False, hears_cancellations=False, ships_after=timedelta(days=5)
    ),
    # A person or another system answers, and ships over the carrier's counter.
    "manual": Profile(answers_after=None, ships_after=None, scanned_after=AT_ONCE, manual=True, in_disputes=None),
}


def profile_named(name: str) -> Profile:
    """The profile of that name; a name that nobody knows is a seller who is asked by hand."""
    return PROFILES.get(name, PROFILES["manual"])
