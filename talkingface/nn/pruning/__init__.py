"""Structured pruning: channels are found by following one run of a network, ranked, and removed from all its layers."""
