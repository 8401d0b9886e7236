"""The normative statements of RFC 9111 for shared caches, each with the cases and tests that hold it.

The statements are paraphrased; the sections of the RFC have the words that count. Those that need an occasion which
this cache never has say so instead.
"""

from __future__ import annotations

from tests.conformance.rfc9111 import section3, section4, section5
from tests.conformance.rfc9111.statement import Statement

STATEMENTS: tuple[Statement, ...] = (*section3.STATEMENTS, *section4.STATEMENTS, *section5.STATEMENTS)
