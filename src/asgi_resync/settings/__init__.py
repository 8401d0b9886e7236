"""What an operator can set, and where each value came from. It opens no file and no connection."""

from .cache import CacheSettings
from .environment import Layer, Resolution, resolve
from .model import RedisSettings, Settings, UpstreamSettings
from .profiles import PROFILES
from .table import settings_table

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
