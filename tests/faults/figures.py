"""Tests of what can go wrong: what each row measured, and the table of it in docs/reliability.md."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ROOT / "tests" / "faults" / "figures.json"  # the last full run, both rounds of it
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- figures: written by `make faults` -->", "<!-- end of figures -->"

Tell = Callable[[str], None]
SAID = pytest.StashKey[list[str]]()
STOOD_ON = pytest.StashKey[str]()


class Row(NamedTuple):
    """One row, run once."""

    fault: str
    line: str
    backend: str
    outcome: str
    said: list[str]
    when: str


_rows: dict[tuple[str, str, str], Row] = {}


def note(fault: str, line: str, backend: str, outcome: str, said: list[str]) -> None:
    """Remember an outcome. A row may have several tests: their figures stand together, and one failure fails it."""
    before = _rows.get((fault, line, backend))
    if before is not None:
        said = before.said + [item for item in said if item not in before.said]
        outcome = before.outcome if outcome == "passed" else outcome
    when = time.strftime("%Y-%m-%d", time.gmtime())
    _rows[fault, line, backend] = Row(fault, line, backend, outcome, list(said), when)


def noted() -> list[Row]:
    """The rows of this run."""
    return list(_rows.values())


def write(seed: int) -> None:
    """Put this run's rows in the place of the same rows of earlier runs, and write the table."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for row in noted():
        kept[f"{row.fault} · {row.backend}"] = row._asdict() | {"seed": seed}
    KEPT.write_text(json.dumps(dict(sorted(kept.items())), indent=1, ensure_ascii=False) + "\n")
    lines = ["| fault | on | pass line | | measured |", "|---|---|---|---|---|"]
    for row in kept.values():
        mark = "pass" if row["outcome"] == "passed" else f"**{row['outcome'].upper()}**"
        measured = "; ".join(row["said"])
        lines.append(f"| {row['fault']} | {row['backend']} | {row['line']} | {mark} | {measured} |")
    seeds = ", ".join(sorted({str(row["seed"]) for row in kept.values()}))
    machine = f"{os.cpu_count()} processors, Python {platform.python_version()}, {platform.system()}"
    lines += ["", f"Last run: {max(row['when'] for row in kept.values())}, seed {seeds}; {machine}."]
    page = PAGE.read_text()
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{chr(10).join(lines)}\n{END}{after}")
