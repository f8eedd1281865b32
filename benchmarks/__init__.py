"""What must be fast, measured: each module is a program that prints its numbers."""
