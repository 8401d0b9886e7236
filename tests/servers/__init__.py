"""Real Redis servers for tests: one alone, a cluster, sentinels, and a proxy that spoils what goes through it."""
