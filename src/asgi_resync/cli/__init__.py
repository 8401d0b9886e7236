"""The commands of `asgi-resync`, one module each; each is imported only when called."""
