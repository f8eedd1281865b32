"""Everything that the seller's side may record."""

from typing import TypeAlias

from countermand.contracts.seller import (
    DisputeReplied,
    ParcelPlanned,
    ParcelReleased,
    ParcelScanned,
    ParcelStopped,
    PartialRefundOffered,
    RequestHeard,
    SellerAccepted,
    SellerMessaged,
    SellerRated,
    SellerRefused,
    Shipped,
    TrackingProvided,
    TrackingUnavailable,
)

SellerEvent: TypeAlias = (
    TrackingProvided
    | TrackingUnavailable
    | PartialRefundOffered
    | DisputeReplied
    | SellerRated
    | RequestHeard
    | SellerAccepted
    | SellerRefused
    | SellerMessaged
    | ParcelPlanned
    | ParcelReleased
    | ParcelStopped
    | Shipped
    | ParcelScanned
)
