"""Every normative statement of RFC 9111 §3 to §5 is held by cases or tests that exist, or has a reason not to be."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.conformance.cases import BY_ID
from tests.conformance.model import REQUIRED
from tests.conformance.rfc9111.statement import MUST, MUST_NOT, Statement
from tests.conformance.statements import STATEMENTS
from tests.conformance.unmet import UNMET

ROOT = Path(__file__).parents[2]
SECTIONS = (
    *(f"3.{part}" for part in range(1, 6)),
    *("4.1", "4.2", "4.2.1", "4.2.2", "4.2.3", "4.2.4", "4.3.1", "4.3.2", "4.3.3", "4.3.4", "4.3.5", "4.4"),
    *("5.1", "5.2", *(f"5.2.1.{part}" for part in range(1, 8)), *(f"5.2.2.{part}" for part in range(1, 11))),
    *("5.2.3", "5.3", "5.4", "5.5"),
)


def label(statement: Statement) -> str:
    return f"{statement.section} {statement.level} {statement.says}"


def exists(name: str) -> bool:
    """Return whether *name* is a case, or a test function in a file of this repository."""
    path, separator, function = name.partition("::")
    if not separator:
        return name in BY_ID
    file = ROOT / path
    if not file.is_file():
        return False
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function for node in nodes)


@pytest.mark.parametrize("statement", STATEMENTS, ids=label)
def test_what_holds_a_statement_exists(statement: Statement) -> None:
    """A statement names cases and tests that are there."""
    assert [name for name in statement.held_by if not exists(name)] == []


@pytest.mark.parametrize("statement", STATEMENTS, ids=label)
def test_a_statement_is_held_or_has_a_reason(statement: Statement) -> None:
    """One of both, never neither."""
    assert bool(statement.held_by) != bool(statement.not_applicable)


@pytest.mark.parametrize(
    "statement", [each for each in STATEMENTS if each.level in (MUST, MUST_NOT) and each.held_by], ids=label
)
def test_a_must_is_not_held_by_what_is_unmet_alone(statement: Statement) -> None:
    """A case that may fail holds nothing."""
    assert [name for name in statement.held_by if name not in UNMET] != []


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_has_statements(section: str) -> None:
    """No section between 3 and 5 is left out."""
    assert [statement for statement in STATEMENTS if statement.section == section] != []


def test_no_statement_stands_twice() -> None:
    """A statement is one row."""
    assert len({label(statement) for statement in STATEMENTS}) == len(STATEMENTS)


def test_required_cases_belong_to_sections_that_have_statements() -> None:
    """Nothing is required by a section that the table does not know."""
    sections = {statement.section for statement in STATEMENTS}
    named = {case.section.removeprefix("9111 §") for case in BY_ID.values() if case.kind is REQUIRED}

    assert {section for section in named if section[:2] in ("3.", "4.", "5.")} <= sections
