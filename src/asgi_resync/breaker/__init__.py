"""Circuit breakers: who may call an upstream, and what a route answers while nobody may."""
