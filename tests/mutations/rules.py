"""The table of rules: what each says, which stories play it, which tests name it, and which mutation proves that they do.

`python -m tests.mutations.rules docs/rules.md` writes it.
"""

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from lab.stories import STORIES
from tests.mutations.catalogue import MUTATIONS, Mutation

ROOT: Final = Path(__file__).parents[2]

RULES: Final[dict[str, str]] = {
    "R1": "A buyer who asks to cancel gives exactly one reason.",
    "R2": "What is asked by somebody else is refused, and the buyer is told.",
    "R3": "The Cancel button is offered only while the order is neither paid nor shipped.",
    "R4": "Pressing Cancel opens a dialog; only its confirmation sends anything.",
    "R5": "A seller who agrees ends the order, and it is never shipped.",
    "R6": "The buyer gets an email that the order has been cancelled.",
    "R7": "A request may miss the seller; a message may reach them all the same, and stops the parcel.",
    "R8": "Timing decides: seconds after ordering is easy, after the shipping is too late.",
    "R9": "After the payment there is no button: the buyer contacts the seller.",
    "R10": "A paid order that has not been shipped is cancelled and refunded in full, if the seller agrees.",
    "R11": "A shipped order cannot be cancelled.",
    "R12": "A refund does not stop a parcel: goods that arrive after it are shown.",
    "R13": "A buyer who was refused may ask again; some sellers give in.",
    "R14": "Once the item has been sent, a dispute is the only course.",
    "R15": "Sellers send as soon as they can: cancelling and shipping race each other.",
    "R16": "A seller refuses on one of two grounds: the parcel has left, or the sale is to be kept.",
    "R17": "A tracking number tests the first ground, and counts for what a carrier has scanned.",
    "R18": "A seller with no number to show can be taken to a dispute.",
    "R19": "If the parcel leaves after the day on which the dispute was opened, the platform refunds the buyer.",
    "R20": "Goods not as expected, a silent seller or an order never sent: the buyer gets everything back.",
    "R21": "A seller may concede a part of the money, even for perfect goods.",
    "R22": "A claim on perfect goods is recorded with its evidence, and is denied.",
    "R23": "A refund goes back by the method that paid.",
    "R24": "How orders end changes a seller's feedback, which the buyer is shown.",
    "R25": "Sellers differ: some answer, refuse or ship, and some do nothing.",
    "R26": "A reseller for whom it is too late may refund its own customer, and the goods still arrive.",
    "R27": "The dialog says what to expect before anything is sent.",
    "P1": "The dialog lapses after 15 real minutes.",
    "P2": "The seller has 72 hours to answer a request.",
    "P3": "Silence cancels and refunds an order that has not been shipped; or refuses, or waits.",
    "P4": "An unpaid order closes after 20 days.",
    "P5": "A paid order that is not shipped within 7 business days closes with a full refund.",
    "P6": "The seller has 5 business days to show the tracking number that the buyer asked for.",
    "P7": "A dispute that the seller leaves unanswered for 5 days is granted.",
    "P8": "A negotiation ends after 7 days, and the platform decides.",
    "P9": "Buyer protection ends 15 days after the delivery.",
    "P10": "Goods that the seller takes back are sent within 10 days, or nothing is refunded.",
    "P11": "A refund reaches a wallet at once, a card or a bank account after days; issued and received are two facts.",
    "P12": "The button may be kept after the payment; by default it is not.",
    "P13": "An unpaid order may be cancelled without the seller's consent; by default it is not.",
    "P14": "Business days are Monday to Friday in the marketplace's time zone, less its holidays.",
    "P15": "The marketplace chooses what counts against a seller.",
    "P16": "The marketplace chooses what may be proposed in a dispute, and whether it may be countered.",
    "X1": "Cancel and ship: the order's journal decides, and a parcel that left anyway is reported.",
    "X2": "Accept and ship: after a yes the parcel is held, and after the shipping there is no yes.",
    "X3": "Pay and cancel: the order is never revived, and the money never kept.",
    "X4": "Message and request: a message stops the parcel, and alone it asks for the cancellation.",
    "X5": "Dispute and ship: the calendar day of the first scan counts, in the marketplace's zone.",
    "X6": "Refund and parcel: both are shown, and the outcome says what became of the goods.",
    "X7": "Two clicks make one request.",
    "X8": "Answer and deadline: the first on record counts, and the other changes nothing.",
    "X9": "Offer, counter-offer, acceptance: only the offer that stands can be accepted.",
    "X10": "Withdraw and accept: the first on record counts, and the loser is told.",
    "X11": "A part and then the whole: the second refund is the remainder.",
    "X12": "Messages delivered twice or out of order, or cut short by a crash, change nothing.",
}
"""Every rule (R), policy (P) and race (X), in one sentence each."""

_NAMED: Final = re.compile(r"^[ ]*(?:async )?def test_((?:[rpx]\d+_)+)", re.MULTILINE)

_HEAD: Final = """\
# Rules

<!-- Written by `python -m tests.mutations.rules docs/rules.md`; edit tests/mutations instead. -->

R are the rules of cancelling an order, P the policies that an operator may change ([policy.md](policy.md)), X the races
of two things at once. The tests are those whose names begin with the rule: `just test -k _r4_` runs R4's, and `uv run
countermand story NAME` plays a story. The last column is what the code can be made to do wrong, and is then caught:
`uv run python -m tests.mutations --rule R4` proves it.

| rule | what it says | stories | tests | caught |
|---|---|---|---|---|
"""


def table() -> str:
    """The document."""
    named = naming_tests()
    mutations = {mutation.rule: mutation for mutation in MUTATIONS}
    rows = [_row(rule, says, named[rule], mutations.get(rule)) for rule, says in RULES.items()]
    return _HEAD + "".join(rows)


def stories_of(rule: str) -> list[str]:
    """The names of the stories that play it."""
    return [story.name for story in STORIES.values() if rule in story.rules]


def naming_tests() -> dict[str, Counter[str]]:
    """How many tests of which file name each rule; files by their path from the root."""
    found: dict[str, Counter[str]] = {rule: Counter() for rule in RULES}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for named in _NAMED.finditer(path.read_text()):
            for rule in named[1].upper().rstrip("_").split("_"):
                found.setdefault(rule, Counter())[path.relative_to(ROOT).as_posix()] += 1
    return found


def _row(rule: str, says: str, tests: Counter[str], mutation: Mutation | None) -> str:
    shown = ", ".join(f"[{Path(file).stem}](../{file}) {count}" for file, count in tests.items())
    return f"| {rule} | {says} | {', '.join(stories_of(rule))} | {shown} | {mutation.name if mutation else ''} |\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(table())
