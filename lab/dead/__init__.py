"""Dead letters on the command line: what is there, what it means, and what may be done about it."""
