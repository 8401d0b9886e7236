"""What holds for any environment at all."""

from __future__ import annotations

import contextlib
import io

from hypothesis import assume, given
from hypothesis import strategies as st

from asgi_resync.cli.settings import main
from asgi_resync.errors import SettingsError
from asgi_resync.settings import Settings, resolve
from asgi_resync.settings.model import VARIABLES

_NAMES = st.sampled_from(
    [variable.named("tws").name for variable in VARIABLES]
    + [alias.replace("<NAME>", "TWS") for variable in VARIABLES for alias in variable.facts.aliases]
    + ["TWS_PORT", "RESYNC_DISABLE_REDIS", "RESYNC_UPSTREAM_A_B_FAIL_MAX", "RESYNC_CACHE_SIGNING_KEYS"]
) | st.text().map("RESYNC_".__add__)
_NUMBERS = st.tuples(st.integers(0, 2000), st.sampled_from(["", "s", "ms", "MiB", "B"])).map(lambda p: f"{p[0]}{p[1]}")
_TEXTS = (
    st.text(st.characters())  # surrogates among them: os.environ has them for bytes that are no UTF-8
    | _NUMBERS
    | st.sampled_from(["true", "production", "redis://h", "http://[", "http://h:1/", "honour", "strip", "inf", "a,b"])
)


@given(st.dictionaries(_NAMES, _TEXTS, max_size=8))
def test_any_environment_gives_settings_or_a_settings_error(environ: dict[str, str]) -> None:
    """Never another exception, and never settings that would not pass their own checks."""
    outcome: Settings | SettingsError
    try:
        outcome = resolve(environ).settings
    except SettingsError as error:
        outcome = error

    assert repr(outcome)
    assert str(outcome)


_SECRET_NAMES = [
    "RESYNC_CACHE_SIGNING_KEY",
    "RESYNC_CACHE_SIGNING_KEYS",
    "RESYNC_REDIS_URL",
    "REDIS_URL",
    "RESYNC_UPSTREAM_TWS_URL",
    "RESYNC_UPSTREAM_TWS_PASSWORD",
    "RESYNC_UPSTREAM_TWS_TOKEN",
    "TWS_PASSWORD",
    "TWS_BASE_URL",
    "TWS_HOST",
]
_SECRET_FORMS = [
    "{}",
    "{0},{0}",
    "redis://user:{}@host:6379/0",
    "redis://{}@host",
    "https://:{}@host",
    "https://host/?password={}",
    "redis://host?password={}",
    "user:{}@host",
    "ftp://user:{}@host",
]


@given(st.sampled_from(_SECRET_NAMES), st.sampled_from(_SECRET_FORMS), st.text(max_size=20), st.booleans())
def test_no_secret_is_ever_printed(name: str, form: str, salt: str, json: bool) -> None:
    """Right or wrong, well or badly written, under the right name, an alias or a misspelt one."""
    assume(name != "TWS_HOST" or "@" in form or "?" in form)  # a host is no secret
    secret = f"sEcReT{salt}0123456789"
    environ = {name: form.format(secret), "APP_ENV": "staging"}
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["--json"] if json else [], environ)
    with contextlib.suppress(SettingsError):
        out.write(repr(resolve(environ)))

    assert status in (0, 2)
    assert "sEcReT" not in out.getvalue() + err.getvalue()
