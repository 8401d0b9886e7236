"""The console's page: HTML, made of sections that are sent again when they change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote

from ..resources.health import OPEN, BreakerHealth, ResourceHealth
from ..telemetry.recorder import BreakerState, Latency, Recording
from ..telemetry.units import size, took
from .drawing import drawing
from .view import View

_HISTORY = 5
"""Changes of a breaker that are shown."""
_CHANGES = 20
_BAR, _GAP, _TALL = 4, 1, 40


def page(view: View, *, said: str = "", is_error: bool = False) -> str:
    """Return the whole page; *said* is what came of the last order."""
    sections = sections_of(view)

    def live(name: str) -> str:
        return f'<div id="{name}">{sections[name]}</div>'

    note = f'<p class="note{" bad" if is_error else ""}" role="status">{escape(said)}</p>' if said else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>asgi-resync console</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="console.css">
<script src="console.js" defer></script>
</head>
<body>
<a class="skip" href="#steer">Skip to the controls</a>
<header>
<h1>asgi-resync</h1>
{live("head")}
<p class="live" id="live" hidden></p>
<noscript><p class="live">As of this request. <a href="./">Look again</a></p></noscript>
</header>
<main>
{note}
{live("answers")}
<section aria-labelledby="h-breakers"><h2 id="h-breakers">Upstreams</h2>{live("breakers")}</section>
<section aria-labelledby="h-steer" id="steer" tabindex="-1"><h2 id="h-steer">Purge</h2>
{_STEER}{_reload(view)}</section>
<section aria-labelledby="h-resources"><h2 id="h-resources">Resources</h2>{live("resources")}</section>
<section aria-labelledby="h-latency"><h2 id="h-latency">Latency</h2>{live("latency")}</section>
<section aria-labelledby="h-graph" class="wide"><h2 id="h-graph">What depends on what</h2>{live("graph")}</section>
<section aria-labelledby="h-changes" class="wide"><h2 id="h-changes">Changes</h2>{live("changes")}</section>
</main>
<footer>Purges reach every process that shares a Redis. What is shown, forced breakers and a reload are those of this
process. <a href="api/status">JSON</a> · <a href="api/graph?form=mermaid">Mermaid</a></footer>
</body>
</html>
"""


def sections_of(view: View) -> Mapping[str, str]:
    """Return what the page shows of *view*, by the names of its sections."""
    return {
        "head": _head(view),
        "answers": _answers(view),
        "breakers": _breakers(view),
        "resources": _resources(view.health.resources),
        "latency": _latencies(view),
        "graph": _graph(view),
        "changes": _changes(view.recording),
    }


def _head(view: View) -> str:
    health = view.health
    return (
        f'<p><strong class="state {health.status}">{health.status}</strong> '
        f"process {view.process.pid} on {escape(view.process.host)}, version {escape(view.version)}, "
        f"{_time(health.at)} UTC</p>"
    )


def _answers(view: View) -> str:
    l1, l2 = view.health.cache.l1, view.health.cache.l2
    full = max(l1.entries / l1.max_entries, l1.bytes / l1.max_bytes)
    memory = _tile(
        "Memory (L1)",
        f"{full:.0%} full",
        f"{l1.entries} of {l1.max_entries} entries, {size(l1.bytes)} of {size(l1.max_bytes)}",
    )
    redis = _tile("Redis (L2)", l2 or "none", "shared with other processes" if l2 else "RESYNC_REDIS_URL is not set")
    if view.recording is None:
        told = (
            '<p class="note">Nothing is remembered of the last minutes: make a <code>telemetry.Recorder()</code>, and '
            "give it to <code>Resync(on_event=…)</code> and to <code>Console(recorder=…)</code>.</p>"
        )
        return f'{told}<div class="tiles">{memory}{redis}</div>'
    counts = view.recording.answers
    ratio = "–" if counts.hit_ratio is None else f"{counts.hit_ratio:.1%}"
    asked = counts.l1 + counts.l2 + counts.stale + counts.collapsed + counts.misses
    return (
        '<div class="tiles">'
        + _tile("Hit ratio, 5 minutes", ratio, _bars(view.recording))
        + _tile(
            "Answered, 5 minutes",
            str(asked),
            f"{counts.l1} from memory, {counts.l2} from Redis, {counts.stale} stale, {counts.collapsed} waited for "
            f"another's call, {counts.misses} by the app; {counts.rescued} stale instead of an error",
        )
        + memory
        + redis
        + "</div>"
    )


def _tile(name: str, figure: str, more: str) -> str:
    return f'<div class="tile"><h2>{escape(name)}</h2><b>{escape(figure)}</b><div class="more">{more}</div></div>'


def _bars(recording: Recording) -> str:
    """Return the hit ratio of each slot as a bar. What is wrong is to be seen: misses are drawn, on top of the hits."""
    ratios = recording.hit_ratios
    wide = len(ratios) * (_BAR + _GAP)
    bars = "".join(
        f'<rect class="miss" x="{place * (_BAR + _GAP)}" y="0" width="{_BAR}" height="{_TALL}"/>'
        f'<rect class="hit" x="{place * (_BAR + _GAP)}" y="{_TALL - round(_TALL * ratio)}" width="{_BAR}" '
        f'height="{round(_TALL * ratio)}"/>'
        for place, ratio in enumerate(ratios)
        if ratio is not None
    )
    return (
        f'<svg class="bars" viewBox="0 0 {wide} {_TALL}" preserveAspectRatio="none" role="img" '
        f'aria-label="Hit ratio, each {recording.slot:.0f} seconds"><line x1="0" y1="{_TALL}" x2="{wide}" '
        f'y2="{_TALL}"/>{bars}</svg>'
    )


def _breakers(view: View) -> str:
    history = {} if view.recording is None else view.recording.breakers
    cards = "".join(
        _breaker(name, breaker, history.get(name, ()), view.health.impact.get(name, {}))
        for name, breaker in sorted(view.health.breakers.items())
    )
    return f'<div class="cards">{cards}</div>'


def _breaker(
    name: str, breaker: BreakerHealth, history: Sequence[BreakerState], impact: Mapping[str, Sequence[str]]
) -> str:
    state = breaker.state
    how = "down" if state in OPEN else "up" if state == "closed" else "degraded"
    said = [f"{breaker.failures} of {breaker.calls} calls failed"] if breaker.calls else []
    if breaker.retry_after > 0:
        # In steps, or this card alone would be sent each second.
        said.append(f"tried again within {_rounded(breaker.retry_after)}")
    more = ", ".join(said) or "no call of late"
    changes = "".join(
        f"<li>{_time(change.at)} {escape(change.state)} <small>{escape(change.cause)}</small></li>"
        for change in list(history)[: -_HISTORY - 1 : -1]
    )
    touches = "; ".join(f"{kind} {', '.join(map(escape, names))}" for kind, names in impact.items())
    orders = [("forced-open", "Force open"), ("forced-closed", "Force closed"), ("metrics-only", "Count only")]
    if state != "closed":
        orders.append(("released", "Close now" if state in ("open", "half-open") else "Release"))
    buttons = "".join(
        f'<button name="to" value="{to}" id="{to}-{escape(name)}"{" disabled" if to == state else ""}>{text}</button>'
        for to, text in orders
    )
    return (
        f'<article class="card"><h3>{escape(name)} <strong class="state {how}">{escape(state)}</strong></h3>'
        f"<p>{more}</p>"
        + (f"<p>Touches {touches}</p>" if touches else "")
        + (f'<ol class="history" aria-label="What became of it, the latest first">{changes}</ol>' if changes else "")
        + f'<form method="post" action="breakers/{quote(name, safe="")}">{buttons}</form></article>'
    )


def _resources(resources: Mapping[str, ResourceHealth]) -> str:
    if not resources:
        return "<p>None: neither Redis, nor a config file, nor one of the app's own.</p>"
    rows = (
        (
            escape(name) + (" <small>critical</small>" if one.critical else ""),
            f'<strong class="state {"up" if one.state == "up" else "down" if one.critical else "degraded"}">'
            f"{one.state}</strong>",
            "" if one.since is None else _time(one.since),
            _cause(one),
            "" if one.latency is None else took(one.latency),
        )
        for name, one in sorted(resources.items())
    )
    return _table(("Name", "State", "Since", "Failed by", "Latency"), rows)


def _cause(one: ResourceHealth) -> str:
    if one.cause is None:
        return ""
    tries = "" if one.attempts == 0 else f", tried {one.attempts} time{'' if one.attempts == 1 else 's'}"
    return escape(one.cause) + tries


def _latencies(view: View) -> str:
    if view.recording is None:
        return "<p>Not remembered.</p>"
    timed = [("Redis " + name, latency) for name, latency in view.recording.latency.items()]
    timed += [("upstream " + name, latency) for name, latency in view.recording.upstreams.items()]
    if not timed:
        return "<p>Neither Redis nor an upstream was asked in the last five minutes.</p>"
    return _table(
        ("Of", "Calls", "Half within", "99 % within"),
        ((escape(name), str(one.count), _bound(one, one.p50), _bound(one, one.p99)) for name, one in timed),
    )


def _bound(latency: Latency, bound: float | None) -> str:
    return "–" if latency.count == 0 else "longer" if bound is None else took(bound)


def _graph(view: View) -> str:
    impact = view.health.impact
    touched = {name for kinds in impact.values() for names in kinds.values() for name in names}
    picture = drawing(view.graph, frozenset(impact), frozenset(touched))
    text = view.graph.text()
    words = f'<details id="in-words"><summary>In words</summary><pre>{escape(text)}</pre></details>' if text else ""
    return f'<div class="picture" tabindex="0" role="region" aria-label="Graph">{picture}</div>{words}'


def _changes(recording: Recording | None) -> str:
    if recording is None:
        return "<p>Not remembered.</p>"
    if not recording.changes:
        return "<p>None so far.</p>"
    items = "".join(
        f'<li class="{escape(change.level)}"><time>{_time(change.at)}</time> {escape(change.text)}</li>'
        for change in recording.changes[:_CHANGES]
    )
    return f'<ol class="changes">{items}</ol>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    return f'<div class="scrolls"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _reload(view: View) -> str:
    file = f" and <code>{escape(view.config_file)}</code>" if view.config_file else ""
    return (
        '<form method="post" action="reload" class="line"><button>Reload the settings</button>'
        f"<small>reads the environment{file} again</small></form>"
    )


_STEER = """<form method="post" action="purge">
<fieldset><legend>What</legend>
<label><input type="radio" name="what" value="tag" checked> Tags</label>
<label><input type="radio" name="what" value="url"> URL</label>
<label><input type="radio" name="what" value="upstream"> Upstream</label>
</fieldset>
<label class="name">Name <input name="name" required autocomplete="off" spellcheck="false"
 placeholder="plan, or /plan/current, or tws"></label>
<fieldset><legend>How</legend>
<label><input type="radio" name="how" value="hard" checked> Throw away</label>
<label><input type="radio" name="how" value="soft"> Mark stale</label>
</fieldset>
<button>Purge</button>
</form>
<form method="post" action="purge" class="line"><input type="hidden" name="what" value="everything">
<label><input type="checkbox" name="sure" required> Yes, all of it</label>
<button class="danger">Purge everything</button></form>
"""


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def _rounded(seconds: float) -> str:
    return next((f"{step} s" for step in (5, 10, 30, 60) if seconds <= step), f"{-(-seconds // 60):.0f} min")
