"""Every persona by its name: what a mix may ask for."""

from typing import Final

from lab.plan.cancelling import (
    ChangesMind,
    DaysLater,
    DoubleClicks,
    Keeps,
    NeverPays,
    PaysLate,
    Peer,
    Reseller,
    Stranger,
    Unpaid,
    Withdraws,
)
from lab.plan.conceding import Returns, TakesAPart
from lab.plan.disputing import AsksForProof, Bargains, ClaimsOnPerfectGoods, Disputes
from lab.plan.errand import Errand
from lab.plan.persona import Buyer

PERSONAS: Final[dict[str, type[Buyer]]] = {
    "keeps": Keeps,
    "never-pays": NeverPays,
    "unpaid": Unpaid,
    "peer": Peer,
    "changes-mind": ChangesMind,
    "days-later": DaysLater,
    "withdraws": Withdraws,
    "double-clicks": DoubleClicks,
    "pays-late": PaysLate,
    "stranger": Stranger,
    "reseller": Reseller,
    "bargains": Bargains,
    "asks-for-proof": AsksForProof,
    "disputes": Disputes,
    "claims-on-perfect-goods": ClaimsOnPerfectGoods,
    "takes-a-part": TakesAPart,
    "returns": Returns,
}
"""The class of each persona; its docstring says what it does, and which rules that plays."""

WITH_CUSTOMER: Final = frozenset({"reseller"})
"""Those who order for a customer of their own (R26)."""


def buyer_of(errand: Errand) -> Buyer:
    """The buyer who runs an errand."""
    return PERSONAS[errand.persona](errand)
