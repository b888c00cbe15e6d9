"""benchmarks: the table, its ratios against the run before, and the generated section of docs/performance.md."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, previous_of

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"
MARKED = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- end of benchmarks -->)", re.DOTALL)


def shown(value: float) -> str:
    """Three digits that mean something."""
    if value == 0:
        return "0"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(rows: Iterable[Row], before: Mapping[str, float] | None = None) -> str:
    """Markdown; with a run before it also the ratios, below 1 for less."""
    lines = []
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines += ["", f"**{group}**", "", *_head(before is not None)]
        cells = [row.name, shown(row.value), f"{row.unit}{', more is better' if row.more_is_better else ''}"]
        if before is not None:
            then = before.get(row.key)
            cells.append(f"× {row.value / then:.2f}" if then else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines).strip()


def _head(has_ratio: bool) -> list[str]:
    columns = ["What", "Value", "Unit", *(["Against the run before"] if has_ratio else [])]
    return [f"| {' | '.join(columns)} |", f"| {' | '.join('---' for _ in columns)} |"]


def machine() -> str:
    """What it ran on, in a few words."""
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores ({platform.machine()}), Python {platform.python_version()}, load {load:.1f} at the end"


def newest(quick: bool) -> dict[str, Any] | None:
    """The last stored run of the same length."""
    found = sorted(RESULTS.glob("*-quick.json" if quick else "*-full.json"))
    if not found:
        return None
    stored: dict[str, Any] = json.loads(found[-1].read_text(encoding="utf-8"))
    return stored


def before_of(stored: dict[str, Any] | None) -> dict[str, float] | None:
    """Its values; None without one."""
    return None if stored is None else previous_of(stored)


def store(rows: list[Row], quick: bool) -> Path:
    """Keep a run."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = RESULTS / f"{now:%Y%m%dT%H%M%SZ}-{'quick' if quick else 'full'}.json"
    path.write_text(json.dumps({"at": now.isoformat(), "machine": machine(), "rows": rows}, indent=1), encoding="utf-8")
    return path


def rendered(page: str, rows: list[Row]) -> str:
    """The page with its generated section made anew."""
    body = f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine()}.\n\n{table(rows)}\n"
    return MARKED.sub(lambda found: f"{found[1]}{body}{found[2]}", page)
