"""The same services in virtual time: `countermand simulate`.

Deciders, reactions, handlers, journals, timers and sellers are the real ones; only the broker, the mail server and the
clock are in memory. Each order lives from its first command to its last message, is judged by the audit, and leaves its
counts behind.
"""
