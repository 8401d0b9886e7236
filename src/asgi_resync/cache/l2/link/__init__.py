"""The link to Redis: few connections, on which commands follow each other without waiting for replies."""

from .link import RedisLink as RedisLink
