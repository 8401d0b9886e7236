"""README is part of the product: its commands, tables and code are what the code says they are."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from prometheus_client import CollectorRegistry

from asgi_resync import CacheRule, Settings
from asgi_resync.cli.command import MEANINGS
from asgi_resync.events import BackplaneCaughtUp
from asgi_resync.settings import settings_table
from asgi_resync.settings.model import VARIABLES
from asgi_resync.telemetry.metrics import METRICS, Metric
from asgi_resync.telemetry.prometheus import to_prometheus

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def test_the_settings_table_is_the_one_made_from_the_model() -> None:
    """What README lists is what the library reads."""
    found = re.search(r"<!-- settings -->\n(.*?)\n<!-- /settings -->", README, flags=re.DOTALL)

    assert found is not None
    assert settings_table() == found[1]


def exits_table() -> str:
    """Return the table of exit statuses."""
    rows = [f"| {status:d} | {meaning} |" for status, meaning in MEANINGS.items()]
    return "\n".join(["| Status | Meaning |", "| --- | --- |", *rows])


def test_the_table_of_exit_statuses_is_the_one_made_from_them() -> None:
    """As the help has it."""
    found = re.search(r"<!-- exits -->\n(.*?)\n<!-- /exits -->", README, flags=re.DOTALL)

    assert found is not None
    assert exits_table() == found[1]


def test_the_changelog_has_one_place_for_what_is_not_released() -> None:
    """As Keep a Changelog has it: `[Unreleased]` first, and below it versions, each with its date."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, *released = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)

    assert "[Unreleased]" == first
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", title) for title in released)


def metrics_table() -> str:
    """Return the table of metrics, by their names in Prometheus."""
    rows = ["| Metric | Labels | What it tells |", "| --- | --- | --- |"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        rows.append(f"| `{name_of(metric)}` | {labels} | {metric.help} |")
    return "\n".join(rows)


def name_of(metric: Metric) -> str:
    """Return the name of *metric* in Prometheus."""
    parts = ["asgi_resync", *metric.name.split("."), metric.unit, "total" if metric.kind == "counter" else ""]
    return "_".join(part for part in parts if part)


def test_the_table_of_metrics_is_the_one_made_from_them() -> None:
    """By the names that they have in a registry."""
    found = re.search(r"<!-- metrics -->\n(.*?)\n<!-- /metrics -->", README, flags=re.DOTALL)
    registry = CollectorRegistry()
    to_prometheus(registry)(BackplaneCaughtUp(missed=False))
    names = {family.name + ("_total" if family.type == "counter" else "") for family in registry.collect()}

    assert found is not None
    assert metrics_table() == found[1]
    assert names == {name_of(metric) for metric in METRICS}


def test_alerts_are_about_metrics_that_there_are() -> None:
    """With labels that they have."""
    found = re.search(r"<!-- alerts -->\n(.*?)\n<!-- /alerts -->", README, flags=re.DOTALL)
    metrics = {name_of(metric): metric for metric in METRICS}

    assert found is not None
    assert "asgi_resync_" in found[1]
    for name, labels in re.findall(r"(asgi_resync_[a-z_]+)(?:\{([^}]*)\})?", found[1]):
        metric = metrics[name.removesuffix("_bucket")]
        assert {label.split("=")[0] for label in labels.split(",") if label} <= {*metric.labels}


def test_both_commands_are_one_line_each() -> None:
    """Demo and tests are each one line to paste."""
    commands = re.findall(r"<!-- (demo|tests) -->\n```sh\n(.*?)\n```", README, flags=re.DOTALL)

    assert ["demo", "tests"] == [name for name, _ in commands]
    assert all("\n" not in command for _, command in commands)


def test_the_first_example_fits_on_a_screen() -> None:
    """The promise of fifteen lines is kept."""
    lines = [line for line in BLOCKS[0].splitlines() if line.strip()]

    assert len(lines) <= 15


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block-{number}" for number in range(1, len(BLOCKS) + 1)])
def test_every_python_block_runs(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who pastes a block gets no error."""
    monkeypatch.delenv("APP_ENV", raising=False)
    monkeypatch.setenv("RESYNC_CONSOLE_TOKEN", "change-me-to-something-long")  # as the shell beside it does
    # Litestar looks up the module of a handler.
    module = ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", module)
    exec(compile(block, "README.md", "exec"), module.__dict__)


def test_every_setting_that_readme_names_is_one() -> None:
    """A variable that does not exist would be reported as unknown to whoever copies it."""
    known = {variable.name for variable in VARIABLES}
    ours = {name.replace("<NAME>", "CRM") for name in known}
    for name in set(re.findall(r"\bRESYNC_[A-Z0-9_]+(?:<NAME>_[A-Z_]+)?\b", README)):
        if name.endswith("_"):
            # The beginning of several: `RESYNC_CACHE_*`.
            assert any(one.startswith(name) for one in known), name
            continue
        general = re.sub(r"^RESYNC_UPSTREAM_(?!<NAME>)[A-Z0-9]+_", "RESYNC_UPSTREAM_CRM_", name)
        assert general in ours or name in known, name


def test_the_urls_of_redis_in_readme_are_accepted() -> None:
    """As they stand there."""
    urls = re.findall(r"^RESYNC_REDIS_URL=(\S+)", README, flags=re.MULTILINE)

    assert len(urls) > 3
    for url in urls:
        assert url == Settings.from_env({"RESYNC_REDIS_URL": url}).redis.url


def test_the_config_file_in_readme_can_be_read(tmp_path: Path) -> None:
    """And says what the text says of it."""
    blocks = re.findall(r"^```toml\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    file = tmp_path / "resync.toml"
    file.write_text("".join(blocks), encoding="utf-8")

    cache = Settings.from_env({"RESYNC_CONFIG_FILE": str(file)}).cache
    assert cache.l2_ttl == 300
    assert cache.rules == (CacheRule("/plan/{name}", ttl=10, stale_if_error=300, tags=["plan"]),)


def test_links_within_readme_lead_somewhere() -> None:
    """As GitHub makes anchors of headings; files are there."""
    headings = re.findall(r"^#+ (.+)$", README, flags=re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)\s]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in anchors
        elif "://" not in target:
            assert (Path(__file__).parents[2] / target).exists(), target


def test_every_reason_for_which_nothing_is_stored_is_explained() -> None:
    """Who reads `detail=` in Cache-Status finds it here."""
    source = (Path(__file__).parents[2] / "src/asgi_resync/cache/policy/storability.py").read_text(encoding="utf-8")
    reasons = set(re.findall(r'NotStorable\("([a-z-]+)"\)', source))

    assert len(reasons) > 8
    assert [] == [reason for reason in sorted(reasons) if f"`{reason}`" not in README and f"={reason}`" not in README]
