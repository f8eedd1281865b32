"""The read model: what the streams say of every order, as one row an order that lists and pages can be answered from.

`view` what is kept of an order · `projection` an event into it (pure) · `allowed` what may be done now (pure) · `measures`
how long things took (pure) · `schema` and `store` the SQLite file · `follow` from the streams into the file ·
`queries` everything that is asked of it · `timeline` one order's whole story, read from the streams themselves.
"""
