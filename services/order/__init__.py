"""order: owns the order, from placing to its one outcome.

Purpose: payment, the Cancel dialog and the request, the arbitration between answer, deadline, parcel and
withdrawal, the refund ledger, the outcome.

Hears: commands of buyers and the platform; `SellerAccepted`, `SellerRefused`, `SellerMessaged`, `Shipped`,
`ParcelScanned` and `PartialRefundOffered` of the seller; `DisputeOpened` and `DisputeResolved`; its own timers.

Says: everything in `countermand.contracts.order`.
"""
