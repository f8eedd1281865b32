"""What an operator should do about a dead letter, from the reason that it bears."""

from collections.abc import Iterable
from typing import Final

from countermand.runtime.letters import DISCARD, ON_RECORD, REPLAY, Letter

_MISSING_POLICY: Final = "no policy "
_FAILED: Final = "failed "
_PREMATURE: Final = " never came before "
_REUSED: Final = "was used for another order before"


def advice(letter: Letter) -> str:
    """One or two sentences, with the command."""
    if letter.act is not None:
        return f"Nothing: it was {letter.act}."
    again, away = _command(REPLAY, letter), _command(DISCARD, letter)
    if letter.reason.startswith(f"{ON_RECORD}: "):
        return f"The mail server refused it for good, and that is on record. Tell the buyer in another way, then {away}"
    if letter.reason.startswith(_MISSING_POLICY):
        return f"Store the policy with `countermand policy put FILE`, then {again}"
    if letter.reason.startswith(_FAILED):
        return f"A defect of {letter.service}, or something that it depends on; its log has the traceback. Mend that, then {again}"
    if _PREMATURE in letter.reason:
        return f"Look whether its predecessor has come since, with `countermand why {letter.order_id}`; if so, {again}"
    if _REUSED in letter.reason:
        return f"Two messages were sent with one id: the sender must choose another. Then {away}"
    return f"Nobody can ever handle it as it is: tell whoever sent it, then {away}"


def chosen(letters: Iterable[Letter], *, service: str | None, reason: str | None, since: float | None) -> list[Letter]:
    """The letters of a service, whose reason has these words in it, that died since then (seconds since 1970)."""
    return [
        letter
        for letter in letters
        if (service is None or letter.service == service)
        and (reason is None or reason.lower() in letter.reason.lower())
        and (since is None or letter.at.timestamp() >= since)
    ]


def _command(kind: str, letter: Letter) -> str:
    return f"`countermand dead {kind} {letter.sequence} --reason …`."
