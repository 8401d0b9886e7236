"""Proof that a wrapped app behaves as the bare one: every assertion runs with and without the wrapper."""
