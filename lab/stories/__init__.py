"""The buyer's guide, played on the real system: each story is one order, and names the rules that it plays."""

from lab.stories import bargaining, contact, dialog, parcel, races, silence
from lab.stories.story import Story

STORIES: dict[str, Story] = {
    story.name: story for module in (dialog, silence, contact, bargaining, parcel, races) for story in module.STORIES
}
"""Every story, by name, in the order of the guide."""
