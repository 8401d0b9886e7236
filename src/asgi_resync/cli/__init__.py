"""The commands of `python -m asgi_resync`, one module each; each is imported only when called."""
