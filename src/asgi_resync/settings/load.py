"""Everything that is set, read from where it is: the environment, and the config file that it names."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace

from ..errors import SettingsError
from .environment import Resolution, resolve
from .file import CONFIG_FILE, read_file
from .model import Settings

_log = logging.getLogger("asgi_resync")


def config_file(environ: Mapping[str, str]) -> str | None:
    """Return the path of the config file that *environ* names, if it names one that could be."""
    path = environ.get(CONFIG_FILE, "").strip()
    return path if path and "\0" not in path else None


def load(environ: Mapping[str, str] | None = None) -> Resolution:
    """Return the settings that *environ*, by default the process's own, and its config file make.

    Raises SettingsError, which lists every problem of both. It opens that file, and no other; of files that the
    settings name it notes that they are not there.
    """
    texts = os.environ if environ is None else environ
    path = config_file(texts)
    if path is None:
        return _with_files(resolve(texts))
    layer, problems = read_file(path)
    try:
        resolution = resolve(texts, layers=[layer])
    except SettingsError as error:
        raise SettingsError([*problems, *error.problems]) from None
    if problems:
        raise SettingsError(problems)
    return _with_files(resolution)


def _with_files(resolution: Resolution) -> Resolution:
    """Return *resolution* with a note for each file that it names and that is not there: it may come later."""
    missing = [
        f"RESYNC_UPSTREAM_{name.upper()}_CA_FILE is {upstream.ca_file!r}, which is no file: no call of "
        f"{name} can check a certificate until it is there"
        for name, upstream in resolution.settings.upstreams.items()
        if upstream.ca_file is not None and not os.path.isfile(upstream.ca_file)
    ]
    return replace(resolution, notes=(*resolution.notes, *missing)) if missing else resolution


def read(environ: Mapping[str, str] | None) -> Settings:
    """The settings alone, for those who do not ask further; the notes go to the log."""
    resolution = load(environ)
    for note in resolution.notes:
        _log.warning("%s", note)
    return resolution.settings
