"""Whether a service that somebody else wrote speaks the published contracts: tried clause by clause on a running system."""
