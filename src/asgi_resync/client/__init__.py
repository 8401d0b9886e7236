"""Clients of upstreams: transports that retry with manners, for httpx2 and httpx. Importing it loads neither."""
