"""load: open-model load of cancellation flows on the real system, measured from the event streams, with a verdict.

`plan` says who arrives when; `worker` processes run the flows; `measure` turns each order's record into latencies;
`run` puts a run together; `report` writes what came of it; `search` looks for the highest sustainable rate.
"""
