"""README is part of the product: its commands, tables and code are what the code says they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asgi_resync.settings import settings_table

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def test_the_settings_table_is_the_one_made_from_the_model() -> None:
    """What README lists is what the library reads."""
    found = re.search(r"<!-- settings -->\n(.*?)\n<!-- /settings -->", README, flags=re.DOTALL)

    assert found is not None
    assert settings_table() == found[1]


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
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
