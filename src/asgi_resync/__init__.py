"""Wrap any ASGI app in one line: it stays fast when traffic spikes and keeps answering when helpers are down."""

__version__ = "0.1.0"
