"""seller: many sellers, simulated from profiles, with their warehouse and their parcels.

Purpose: answer requests as the seller's profile says (or as a person does, in manual mode), decide about the
parcel, and move it to the buyer's door.

Hears: commands of buyers and of sellers by hand; what becomes of orders, payments, requests and disputes, and who
asks for tracking; its own timers.

Says: everything in `countermand.contracts.seller`.
"""
