"""Policies for people: shown with their meaning, checked, stored, and described in docs/policy.md."""
