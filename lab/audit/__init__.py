"""The audit: what an order's histories must satisfy, checked without asking the code that wrote them."""
