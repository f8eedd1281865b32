"""load: an open-model load of cancellation flows on the real system, measured from the event streams, with a verdict.

`plan` says who arrives when; `play` runs it and leaves a raw log (`rawlog`); `figures` are made of that, and `report` shows
them. `command` is `countermand load`, `reporting` is `countermand report`, and `capacity` looks for the highest rate.
"""
