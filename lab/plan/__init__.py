"""Who orders what, and how they behave: the plan that the simulator and the load generator both follow. Pure.

A `Mix` says how often which persona meets which seller. From a mix and a seed follow the errands, one an order; a
`Buyer` plays one errand: it places the order, hears what happens and answers with acts.
"""
