"""The second tier: one cache for all processes, on Redis, that nobody has to trust."""
