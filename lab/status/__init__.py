"""How a running system does: its services, streams and open orders, and what is stuck, with the safe next step."""
