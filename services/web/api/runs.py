"""What a test run's orders have come to, as the read model knows it. The whole audit is `countermand audit --run`."""

from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from services.web.api.problems import ProblemError, documented
from services.web.parts import WebParts
from services.web.readmodel.amiss import Check

runs: Final = APIRouter(prefix="/api/runs", tags=["runs"])

RunIdPath = Annotated[str, Path(min_length=1, max_length=200)]


class VerdictOut(BaseModel):
    """Whether every order of a run came out right.

    `pending` while an order is open, an email may still be on its way or events are still to be read; then `pass`, or
    `fail` if an ended order fails a check. It says what these checks can say: `countermand audit --run` checks every invariant.
    """

    run_id: str
    verdict: Literal["pass", "fail", "pending"]
    orders: int
    settled: int
    open: int
    outcomes: dict[str, int] = Field(examples=[{"cancelled_refunded": 12}])
    checks: list[str]
    failed: int = Field(description="ended orders that fail a check")
    on_their_way: int = Field(description="ended orders that wait only for an email, for 10 seconds at most")
    amiss: dict[str, str] = Field(description="some of them, and which checks they fail")
    lag: int = Field(description="events that the read model has not read yet")


@runs.get("/{run_id}/verdict", responses=documented(HTTPStatus.NOT_FOUND))
async def get_verdict(web: WebParts, run_id: RunIdPath) -> VerdictOut:
    """The verdict on the orders that were placed with `X-Run-Id`."""
    ends = await web.follower.ends()
    # Before the orders are counted: what is read meanwhile would be missing there, and no lag would tell.
    lag = sum(max(0, end - web.follower.positions[owner]) for owner, end in ends.items())
    counts = await web.queries.run(run_id)
    if counts is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "no_such_run", f"No order belongs to a run {run_id!r}.")
    unsettled = counts.open or counts.on_their_way or lag
    return VerdictOut(
        run_id=run_id,
        verdict="pending" if unsettled else "fail" if counts.failed else "pass",
        orders=counts.orders,
        settled=counts.orders - counts.open,
        open=counts.open,
        outcomes=counts.outcomes,
        checks=[str(check) for check in Check],
        failed=counts.failed,
        on_their_way=counts.on_their_way,
        amiss=counts.amiss,
        lag=lag,
    )
