"""The same exchanges through this library and through reverse proxies that people use."""
