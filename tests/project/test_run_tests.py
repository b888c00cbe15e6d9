"""Tests of scripts/run_tests.py: there is no test that no round runs."""

from __future__ import annotations

import re

from scripts.run_tests import ON_SERVICES, ON_SERVICES_LATER, ROOT, parts

# Whose rounds run on services as a whole: `make test-deploy`, and what is long.
WHOLE = ["tests/deploy", "tests/benchmarks"]


def test_whatever_needs_services_lives_where_a_round_has_them() -> None:
    marked = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if re.search(r"^(@|pytestmark = .*)pytest\.mark\.services", path.read_text(), re.MULTILINE)
    ]

    assert len(marked) > 20
    assert [path for path in marked if not path.startswith(tuple(ON_SERVICES + ON_SERVICES_LATER + WHOLE))] == []


def test_a_file_is_run_as_it_is_named_whatever_the_round() -> None:
    for given in (["tests/benchmarks", "-q"], ["--long", "tests/benchmarks", "-q"]):
        assert parts(given, on_services=True, elsewhere=True) == [("", ["tests/benchmarks", "-q"])]
