"""mailbox: a real SMTP server that keeps what arrives, and can be told to fail.

Purpose: receive the emails of a test or a demonstration and show them over HTTP; refuse, stall or hang up on request.

Hears: SMTP. Says: nothing; it has no events.
"""
