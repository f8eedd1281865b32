"""Facts, and which of them answer a request."""

from typing import Final

from countermand.runtime.facts import Fact, fact_from, history

ANSWERS: Final = ("OrderCancelled", "CancelRefused", "CancelExpired", "CancelSuperseded", "CancelWithdrawn")
"""The order's events of which each request gets exactly one (I5)."""

__all__ = ["ANSWERS", "Fact", "fact_from", "history"]
