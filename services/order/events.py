"""The events that the order can record, as one type."""

from typing import TypeAlias

from countermand.contracts.order import (
    AcceptanceSuperseded,
    CancelDialogOpened,
    CancelExpired,
    CancelRefused,
    CancelRejectedNotBuyer,
    CancelRequested,
    CancelRequestRepeated,
    CancelSuperseded,
    CancelWithdrawn,
    DisputeNoted,
    OrderCancelled,
    OrderClosed,
    OrderDelivered,
    OrderPlaced,
    PartialRefundAccepted,
    PartialRefundNoted,
    PaymentAcknowledged,
    RefundIssued,
    RefundReceived,
    ResellerRefundedCustomer,
    ShipmentNoted,
    ShipmentSuperseded,
    TrackingAsked,
)

OrderEvent: TypeAlias = (
    OrderPlaced
    | PaymentAcknowledged
    | CancelDialogOpened
    | CancelRequested
    | CancelRequestRepeated
    | CancelRejectedNotBuyer
    | CancelRefused
    | CancelExpired
    | CancelSuperseded
    | CancelWithdrawn
    | OrderCancelled
    | AcceptanceSuperseded
    | ShipmentNoted
    | ShipmentSuperseded
    | OrderDelivered
    | TrackingAsked
    | PartialRefundNoted
    | PartialRefundAccepted
    | ResellerRefundedCustomer
    | DisputeNoted
    | RefundIssued
    | RefundReceived
    | OrderClosed
)
