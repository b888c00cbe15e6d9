"""benchmarks: one measured figure, how a group of them is run in a process of its own, and how a thing is timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
SETTINGS = {
    "ENV_FILE": os.devnull,
    "LOG_LEVEL": "WARNING",
    "RATE_LIMITS_ENABLED": "false",
    "MAX_USERS_LIMIT": "1000",
    "SPIRIT_ALLOW_NETWORK": "false",
    "SECRET_KEY": "benchmarks-" + "0123456789abcdef" * 4,
    "JWT_SECRET": "benchmarks-jwt-" + "fedcba9876543210" * 4,
}
GROUP_SECONDS = 1800  # no group may take longer


class Row(NamedTuple):
    """A figure. `more_is_better` for rates; everything else is a cost."""

    group: str
    name: str
    value: float
    unit: str
    more_is_better: bool = False

    @property
    def key(self) -> str:
        return f"{self.group}: {self.name} [{self.unit}]"


def settings(var_dir: str, **more: str) -> dict[str, str]:
    """A clean environment of a process of ours."""
    return {name: os.environ[name] for name in KEPT if name in os.environ} | SETTINGS | {"VAR_DIR": var_dir} | more


def run_group(module: str, *arguments: str, **environment: str) -> list[Row]:
    """Run `python -m benchmarks.<module>`, which prints its rows as JSON."""
    with tempfile.TemporaryDirectory(prefix="seance-bench-") as var_dir:
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{module}", *arguments],
            env=settings(var_dir, **environment), stdout=subprocess.PIPE, text=True, timeout=GROUP_SECONDS, check=True,
        )  # fmt: skip
    return [Row(*row) for row in json.loads(done.stdout.splitlines()[-1])]


def print_rows(rows: Iterable[Row]) -> None:
    """The other end of `run_group`."""
    print(json.dumps(list(rows)))


def cpu_us(work: Callable[[int], object], seconds: float) -> float:
    """Microseconds of CPU of one turn of `work(turns)`: the least of five rounds, since noise only ever adds."""
    turns = 1
    while True:  # find how many turns take a fifth of the time
        began = time.process_time()
        work(turns)
        took = time.process_time() - began
        if took > seconds / 25:
            break
        turns *= 2
    turns = max(1, round(turns * seconds / 5 / took))
    rounds = []
    for _ in range(5):
        began = time.process_time()
        work(turns)
        rounds.append((time.process_time() - began) / turns * 1e6)
    return min(rounds)


def cpu_seconds(pid: int) -> float:
    """The CPU time of another process, user and kernel; a resolution of 10 ms."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which `share` of the others are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def previous_of(stored: Mapping[str, object]) -> dict[str, float]:
    """The values of a stored run by their keys."""
    rows = stored.get("rows")
    return {Row(*row).key: Row(*row).value for row in rows} if isinstance(rows, list) else {}
