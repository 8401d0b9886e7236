"""Names in an environment: which variable each one means, and which ones mean nothing.

Pure, and about names only: what a text is worth is decided in `environment.py`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..errors import SettingProblem
from .breaker import OF_BREAKERS
from .model import CACHE, REDIS_ROOM, TOP, UPSTREAM, variables_of_upstream
from .upstream import REDIS
from .values import MASK
from .variable import PLACEHOLDER, Variable

_SWITCHES = ("RESYNC_DISABLE_REDIS", "RESYNC_DISABLE_VALKEY")

_OF_THE_APPLICATION = ("RESYNC_EAGER_BOOT",)
"""Names of the original that begin like ours and have nothing to set here."""

_OURS = "RESYNC_"
_FIXED = {variable.name: variable for variable in (*TOP, *CACHE, *REDIS_ROOM)}
_PREFIX = UPSTREAM[0].name.partition(PLACEHOLDER)[0]
_NO_SUCH_URL = f"{_PREFIX}REDIS_URL"  # L2 has one URL, RESYNC_REDIS_URL
_NAME = r"(?P<name>[A-Z][A-Z0-9_]*?)"
_TWS_PORT = "31111"

# Kubernetes puts these into every pod beside a Service called `resync` or `resync-…`, for all its ports.
_SERVICE_LINK = re.compile(r"\w+_SERVICE_HOST|\w+_SERVICE_PORT(_\w+)?|\w+_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?")
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A text that somebody set for a variable, and the name under which they did."""

    name: str
    text: str
    is_alias: bool = False


@dataclass(slots=True)
class Names:
    """What a mapping holds: givens by variable, best first; the upstreams it names; the names that mean nothing.

    `switches` are the original's names that turn L2 off.
    """

    givens: dict[str, list[Given]] = field(default_factory=dict)
    upstreams: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)
    switches: list[Given] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, variable: Variable, given: Given) -> None:
        """One more given for *variable*, after those it has."""
        self.givens.setdefault(variable.name, []).append(given)


def read_names(values: Mapping[str, str], *, aliases: bool) -> Names:
    """The names in *values*. An empty text means `not set`; a name without `RESYNC_` that is no alias means nothing."""
    texts = {name: stripped for name, text in values.items() if (stripped := text.strip())}
    names = Names()
    if aliases:
        texts |= _composed(texts, names)
    for variable in _FIXED.values():
        for position, name in enumerate((variable.name, *(variable.facts.aliases if aliases else ()))):
            if name in texts:
                names.add(variable, Given(name=name, text=texts[name], is_alias=position > 0))
    for variable in UPSTREAM:
        for position, template in enumerate((variable.name, *(variable.facts.aliases if aliases else ()))):
            for upstream, name in _matches(template, texts):
                if upstream == REDIS and variable.field not in OF_BREAKERS:
                    continue  # no client of ours calls it
                names.upstreams.add(upstream)
                names.add(variable.named(upstream), Given(name=name, text=texts[name], is_alias=position > 0))
    if aliases:
        names.switches += (Given(name=name, text=texts[name], is_alias=True) for name in _SWITCHES if name in texts)
    known = {given.name for givens in (*names.givens.values(), names.switches) for given in givens}
    known.update(_OF_THE_APPLICATION)
    names.unknown += (name for name, text in texts.items() if name not in known and _is_ours(name, text, aliases))
    return names


def unknown_problem(name: str, source: str) -> SettingProblem:
    """That *name* means nothing, and which one may be meant. Its value may be a misnamed secret, so it is masked."""
    candidates = [*_FIXED]
    if name.startswith(_PREFIX):
        words = name.removeprefix(_PREFIX).split("_")
        upstreams = ["_".join(words[:count]) for count in range(1, max(2, len(words)))]
        candidates += (one.name for upstream in upstreams for one in variables_of_upstream(upstream.lower()))
    bare = [candidate.removeprefix(_OURS) for candidate in candidates]
    nearest = ["REDIS_URL"] if name == _NO_SUCH_URL else difflib.get_close_matches(name.removeprefix(_OURS), bare, n=1)
    remedy = (
        f"did you mean {_OURS}{nearest[0]}?" if nearest else "`python -m asgi_resync settings` lists those that are"
    )
    return SettingProblem(f"{name}{source}", MASK, f"not a setting; {remedy}")


def _matches(template: str, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The upstreams that *template* finds in *texts*, each with the name found.

    Of `RESYNC_UPSTREAM_A_RESET_TIMEOUT` the upstream is `a`: the shortest name, so the longest known suffix. An alias
    without a placeholder belongs to the upstream of its first word: `TWS_BASE_URL` to `tws`.
    """
    if PLACEHOLDER not in template:
        if template in texts:
            yield template.partition("_")[0].lower(), template
        return
    pattern = re.compile(re.escape(template).replace(re.escape(PLACEHOLDER), _NAME))
    for name in texts:
        found = pattern.fullmatch(name)
        if found is not None:
            yield found["name"].lower(), name


def _composed(texts: Mapping[str, str], names: Names) -> dict[str, str]:
    """The original's TWS_HOST and TWS_PORT as one URL under the name TWS_HOST."""
    given = texts.get("TWS_HOST")
    if given is None:
        return {}
    url = given if "://" in given else f"http://{given}"
    if url != given and not {"RESYNC_UPSTREAM_TWS_URL", "TWS_BASE_URL"} & texts.keys():
        names.notes.append("TWS_HOST has no scheme, so http is assumed; RESYNC_UPSTREAM_TWS_URL can say https")
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if "TWS_PORT" in texts or not re.search(r":\d+\Z", host):
        host = f"{host}:{texts.get('TWS_PORT', _TWS_PORT)}"
    return {"TWS_HOST": f"{scheme}://{host}{slash}{path}"}


def _is_ours(name: str, text: str, is_environment: bool) -> bool:
    """Whether *name* is meant for this library, so that not knowing it is worth an error."""
    if not is_environment:
        return True
    return (
        name.startswith(_OURS)
        and not _SERVICE_LINK.fullmatch(name)
        and not (name.endswith("_PORT") and _SERVICE_URL.match(text))
    )
