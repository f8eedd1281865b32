"""How fast the read model is filled, and how fast its lists answer: `python -m benchmarks.readmodel --orders 1000000`.

The file is filled through the projection and the row writer with events made up here: placed, and then mostly requested,
accepted, cancelled, closed and told, as the streams of many cancelled orders would have it; some wait for a seller's
answer, some are in dispute. Then each list is asked many
times; no broker runs.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from countermand.contracts.base import Brief, Contact, Event, Owner, SellerRef
from countermand.contracts.dispute import ClaimGround, DisputeOpened
from countermand.contracts.notify import EmailSent
from countermand.contracts.order import (
    CancelGround,
    CancelPath,
    CancelReason,
    CancelRequested,
    Goods,
    OrderCancelled,
    OrderClosed,
    OrderPlaced,
    Outcome,
    PaymentMethod,
)
from countermand.contracts.seller import RequestHeard, SellerAccepted
from countermand.kernel.ids import order_id_from
from countermand.kernel.money import Money
from countermand.kernel.policy import Policy, PromisedEmail
from countermand.kernel.terms import Clock, TermsRef
from countermand.runtime import collector
from countermand.runtime.facts import Fact
from services.web.readmodel.follow import BATCH
from services.web.readmodel.lists import Which
from services.web.readmodel.queries import Queries
from services.web.readmodel.store import Batch, Store
from services.web.readmodel.view import Phase
from services.web.readmodel.waits import Waits

START: Final = datetime(2026, 1, 5, tzinfo=UTC)
POLICY: Final = Policy()
BUYERS: Final = 1_000
SELLERS: Final = 50
STAY_OPEN: Final = 10
"""One order of so many is only placed."""

DISPUTED: Final = 100
"""One order of so many has an open dispute. The first seller answers by hand, and has answered nobody."""

ROUNDS: Final = 200


def facts(orders: int) -> Iterator[Fact]:
    """Every event of every order, one order after another."""
    sequences = dict.fromkeys(Owner, 0)
    for number in range(orders):
        order_id, at = order_id_from("benchmark", number), START + timedelta(milliseconds=number)
        for revision, (owner, event) in enumerate(_life(order_id, number, at)):
            sequences[owner] += 1
            name = type(event).__name__
            yield Fact(
                id=f"{order_id}:{name}",
                owner=owner,
                order_id=order_id,
                name=name,
                revision=revision,
                sequence=sequences[owner],
                caused_by="",
                at=at + timedelta(milliseconds=revision),
                simulated_at=at,
                body=event,
            )


def _life(order_id: str, number: int, at: datetime) -> Iterator[tuple[Owner, Event]]:
    brief = Brief(
        buyer=Contact(id=f"buyer-{number % BUYERS}", name="Ann Buyer", email="ann@buyers.example"),
        seller=SellerRef(id=f"seller-{number % SELLERS}", profile="manual" if number % SELLERS == 0 else "prompt"),
        item="Desk lamp",
        price=Money(amount_minor=1999, currency="USD"),
    )
    terms = TermsRef(seed=1, policy=POLICY.hash, clock=Clock(epoch=at, started_at=at, rate=1))
    yield (
        Owner.ORDER,
        OrderPlaced(
            brief=brief,
            payment_method=PaymentMethod.CARD,
            paid=False,
            terms=terms,
            placed_at=at,
            pay_by=at,
            ship_by=None,
        ),
    )
    request_id = f"{order_id}:CancelRequested"
    requested = CancelRequested(
        brief=brief,
        path=CancelPath.SELF_SERVICE,
        reason=CancelReason.BETTER_OFFER,
        dialog_id="d",
        paid=False,
        requested_at=at,
        answer_by=at,
        consent_required=True,
    )
    if number % SELLERS == 0:
        yield Owner.ORDER, requested
        yield Owner.SELLER, RequestHeard(seller=brief.seller, request_id=request_id, answers_at=None)
        return
    if number % DISPUTED == 1:
        ground, claim = ClaimGround.NOT_SENT, brief.price
        opened = DisputeOpened(
            brief=brief, ground=ground, claim=claim, text="", evidence=(), opened_at=at, answer_by=at
        )
        yield Owner.DISPUTE, opened
        return
    if number % STAY_OPEN == 0:
        return
    yield Owner.ORDER, requested
    yield Owner.SELLER, SellerAccepted(request_id=request_id)
    ground = CancelGround.SELLER_AGREED
    yield Owner.ORDER, OrderCancelled(brief=brief, ground=ground, request_id=request_id, refund_due_minor=0)
    zero = Money(amount_minor=0, currency="USD")
    closed = OrderClosed(
        seller=brief.seller,
        outcome=Outcome.CANCELLED_UNPAID,
        goods=Goods.NOT_SHIPPED,
        refunded=zero,
        against_seller=False,
    )
    yield Owner.ORDER, closed
    sent = EmailSent(
        kind=PromisedEmail.CANCELLED,
        fact_id=f"{order_id}:OrderCancelled",
        to=brief.buyer.email,
        subject="Cancelled",
        message_id=f"<{order_id}@x>",
    )
    yield Owner.NOTIFY, sent


def fill(store: Store, orders: int) -> tuple[int, float]:
    """Write all of it; how many events, and the seconds it took."""
    store.learn(POLICY, POLICY.hash)
    source, events, started = facts(orders), 0, time.perf_counter()
    while some := list(islice(source, BATCH)):
        for owner in Owner:
            mine = [fact for fact in some if fact.owner is owner]
            if mine:
                store.apply(Batch(owner, "benchmark", mine[-1].sequence, mine, {}))
        events += len(some)
    return events, time.perf_counter() - started


async def ask(path: Path, orders: int) -> None:
    """Ask each list many times, and say how long it took."""
    queries, rnd = Queries(path), random.Random(7)

    def some_order() -> str:
        return order_id_from("benchmark", rnd.randrange(orders))

    middle = (await queries.orders(limit=1)).orders[0].view.placed.placed_real_at
    half = f"{int((middle - timedelta(milliseconds=orders // 2)).timestamp() * 1e6)}-{'0' * 24}"
    questions: dict[str, Callable[[], Awaitable[object]]] = {
        "one order": lambda: queries.order(some_order()),
        "first page": queries.orders,
        "page in the middle": lambda: queries.orders(after=half),
        "open orders": lambda: queries.orders(phases=[Phase.ACTIVE]),
        "closed orders": lambda: queries.orders(phases=[Phase.CLOSED]),
        "those that wait for payment": lambda: queries.orders(waits=Waits.PAYMENT),
        "a buyer's": lambda: queries.orders(Which.buyer(f"buyer-{rnd.randrange(BUYERS)}")),
        "a buyer's open ones": lambda: queries.orders(Which.buyer("buyer-10"), phases=[Phase.ACTIVE]),
        "a seller's": lambda: queries.orders(Which.seller(f"seller-{rnd.randrange(SELLERS)}")),
        "a seller's, waiting for payment": lambda: queries.orders(Which.seller("seller-10"), waits=Waits.PAYMENT),
        "a seller's inbox": lambda: queries.inbox("seller-0"),
        "disputes": queries.disputes,
        "buyers": lambda: queries.people("buyer"),
        "counts": queries.counts,
        "latencies": queries.latencies,
    }
    for name, question in questions.items():
        took: list[float] = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            await question()
            took.append((time.perf_counter() - started) * 1e3)
        took.sort()
        print(f"{name:34} p50 {statistics.median(took):7.2f} ms   p99 {took[int(ROUNDS * 0.99)]:7.2f} ms")  # noqa: T201
    await queries.close()


def main() -> None:
    """Fill and ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    orders: int = parser.parse_args().orders
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "web.db"
        store = Store(path)
        events, seconds = fill(store, orders)
        store.close()
        size = path.stat().st_size
        print(  # noqa: T201
            f"{orders} orders, {events} events in {seconds:.1f} s: {events / seconds:.0f}/s; "
            f"{size / 1e6:.0f} MB, {size / orders:.0f} bytes an order"
        )
        with collector.seldom():  # As web does.
            asyncio.run(ask(path, orders))


if __name__ == "__main__":
    main()
