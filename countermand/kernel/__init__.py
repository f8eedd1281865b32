"""Pure building blocks: the decider, simulated time, terms and policy, seeded draws. No clock, no randomness, no I/O."""
