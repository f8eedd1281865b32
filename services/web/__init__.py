"""web: the HTTP API and the pages.

Purpose: lets people and programs act as buyer, seller and operator over HTTP, and shows what became of it. It decides
nothing: it publishes commands, and reads what the services have recorded.

Hears: every event of every owner, and the refusals.

Says: commands only, as `cmd.<service>.<order_id>.<CommandName>`; never an event.
"""
