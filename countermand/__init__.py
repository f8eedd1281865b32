"""The ground floor that every service of Countermand stands on: contracts, a pure kernel, and the runtime."""
