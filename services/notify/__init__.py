"""notify: sends the email confirmations over real SMTP.

Purpose: one email a fact that promises one, the same Message-ID at every try; retries while the mail server is
away, gives up only when it says so.

Hears: the order's facts and the ruling that may promise an email (which ones do is the order's policy).

Says: everything in `countermand.contracts.notify`.
"""
