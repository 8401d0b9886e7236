"""What an operator can set, and where each value came from. It opens the config file, and nothing else."""

from .cache import CacheSettings
from .environment import Layer, Resolution, resolve
from .load import load
from .model import RedisSettings, Settings
from .profiles import PROFILES
from .table import settings_table
from .upstream import UpstreamSettings

__all__ = [
    "PROFILES",
    "CacheSettings",
    "Layer",
    "RedisSettings",
    "Resolution",
    "Settings",
    "UpstreamSettings",
    "load",
    "resolve",
    "settings_table",
]
