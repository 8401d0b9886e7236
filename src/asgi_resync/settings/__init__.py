"""What an operator can set, and where each value came from. It opens no file and no connection."""

from asgi_resync.settings.cache import CacheSettings
from asgi_resync.settings.environment import Layer, Resolution, resolve
from asgi_resync.settings.model import RedisSettings, Settings, UpstreamSettings
from asgi_resync.settings.profiles import PROFILES
from asgi_resync.settings.table import settings_table

__all__ = [
    "PROFILES",
    "CacheSettings",
    "Layer",
    "RedisSettings",
    "Resolution",
    "Settings",
    "UpstreamSettings",
    "resolve",
    "settings_table",
]
