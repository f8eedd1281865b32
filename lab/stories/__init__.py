"""The buyer's guide, played on the real system: each story is one order, and names the rules that it plays."""

from lab.stories import (
    bargaining,
    contact,
    dialog,
    disputes,
    midnight,
    parcel,
    proof,
    races,
    resellers,
    settlements,
    silence,
)
from lab.stories.story import Story

STORIES: dict[str, Story] = {
    story.name: story
    for module in (
        dialog,
        silence,
        contact,
        bargaining,
        parcel,
        races,
        proof,
        disputes,
        settlements,
        midnight,
        resellers,
    )
    for story in module.STORIES
}
"""Every story, by name, in the order of the guide."""
