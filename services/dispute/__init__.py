"""dispute: owns disputes, from the claim to a ruling that names its rule and its facts.

Purpose: who may open one and when, the seller's answer, offers and counter-offers, returns, the platform's ruling.

Hears: commands of buyers and sellers; `DisputeReplied` and `ParcelScanned` of the seller; `DisputeNoted` and
`OrderCancelled` of the order; its own timers. Before it opens or rules it reads the order's and the seller's history.

Says: everything in `countermand.contracts.dispute`.
"""
