"""benchmarks: a model fitted to the curves of `growth`: what many people in many rooms cost, and the page that says so.

`python -m benchmarks.growth_model` measures, fits, and writes docs/scaling.md; `--quick` only prints. A pod is one
process on one processor; what PostgreSQL and Redis cost is in processors of this machine, too.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from benchmarks.__main__ import REDIS, own_database
from benchmarks.report import ROOT, machine, shown, table
from benchmarks.rows import Row, run_group

PAGE = ROOT / "docs" / "scaling.md"
MARKED = re.compile(r"(<!-- growth -->\n).*?(<!-- end of growth -->)", re.DOTALL)
NUMBER = re.compile(r"\d+")
BUSY = 0.6  # of a processor: what is above it becomes waiting
MEMORY_KIB = 1024 * 1024  # of a pod


class Evening(NamedTuple):
    """How many there are, and what they do."""

    people: int
    rooms: int
    messages_per_minute: float = 1.0  # of one person
    stay_minutes: float = 30.0

    @property
    def size(self) -> float:
        """People in a room."""
        return self.people / self.rooms

    @property
    def messages(self) -> float:
        """A second."""
        return self.people * self.messages_per_minute / 60

    @property
    def joins(self) -> float:
        """A second."""
        return self.people / (self.stay_minutes * 60)


class Line(NamedTuple):
    """y = start + slope * x, by least squares."""

    start: float
    slope: float

    @classmethod
    def through(cls, points: Iterable[tuple[float, float]]) -> Line:
        """Neither of both is below 0: costs are none. Without a point there is no cost to be seen either."""
        found = list(points) or [(0.0, 0.0)]
        xs, ys = [x for x, _ in found], [y for _, y in found]
        x, y = sum(xs) / len(xs), sum(ys) / len(ys)
        spread = sum((one - x) ** 2 for one in xs)
        slope = max(0.0, sum((a - x) * (b - y) for a, b in found) / spread) if spread else 0.0
        return cls(max(0.0, y - slope * x), slope)


class Model(NamedTuple):
    """What things cost, in microseconds of CPU if not said otherwise."""

    base_kib: float  # of a process without sockets
    socket_kib: float
    rest: Line  # of a server's second, by its sockets
    join: float
    message: Line  # for the server where its author is, by the size of the room
    copy: float  # for each other process that has people of the room
    postgresql_join: float
    postgresql_message: float
    postgresql_rest: Line
    redis_message: Line  # by the processes that hear it

    @classmethod
    def fitted(cls, rows: Sequence[Row]) -> Model:
        """From the rows of `growth`."""

        def curve(group: str, what: str, whose: str) -> list[tuple[float, float]]:
            named = [row for row in rows if row.group == f"growth, {group}" and row.name.endswith(f"{what}{whose}")]
            # Below 0 is no cost, but a rest before it in which the server did something else.
            numbers = ((NUMBER.findall(row.name)[0 if group == "sockets" else -1], row.value) for row in named)
            return [(float(number), value) for number, value in numbers if value >= 0]

        def mean(points: list[tuple[float, float]]) -> float:
            return sum(y for _, y in points) / max(1, len(points))

        memory = Line.through((x, y * 1024) for x, y in curve("sockets", ", memory", ""))
        rest = "a second of rest: "
        over = Line.through(curve("processes", "", ": servers"))
        return cls(
            base_kib=memory.start,
            socket_kib=memory.slope,
            rest=Line.through(curve("sockets", rest, "servers")),
            join=mean(curve("sockets", "a join: ", "servers")),
            message=Line.through(curve("size of a room", "", ": servers")),
            copy=over.slope,
            postgresql_join=mean(curve("sockets", "a join: ", "PostgreSQL")),
            postgresql_message=mean(curve("processes", "", ": PostgreSQL")),
            postgresql_rest=Line.through(curve("sockets", rest, "PostgreSQL")),
            redis_message=Line.through(curve("processes", "", ": Redis")),
        )

    def bill(self, evening: Evening) -> Bill:
        """What an evening takes. Pods are found by trying: the more there are, over the more a room is spread."""
        pods = 1.0
        for _ in range(50):
            others = min(evening.size, pods) - 1
            work = evening.messages * (self.message.start + self.message.slope * evening.size + self.copy * others)
            work += evening.joins * self.join + evening.people * self.rest.slope + pods * self.rest.start
            room = (MEMORY_KIB - self.base_kib) / self.socket_kib if self.socket_kib else float("inf")
            needed = max(work / 1e6 / BUSY, evening.people / room, 1.0)
            if abs(needed - pods) < 0.01:
                break
            pods = needed
        hearers = min(evening.size, pods)
        postgresql = evening.messages * self.postgresql_message + evening.joins * self.postgresql_join
        postgresql += evening.people * self.postgresql_rest.slope
        redis = evening.messages * (self.redis_message.start + self.redis_message.slope * hearers) if pods > 1 else 0.0
        return Bill(pods, pods * self.base_kib + evening.people * self.socket_kib, postgresql / 1e6, redis / 1e6)


class Bill(NamedTuple):
    """What it takes: pods, their memory in KiB, processors of PostgreSQL and of Redis."""

    pods: float
    kib: float
    postgresql: float
    redis: float


EVENINGS = (
    Evening(1_000, 200),
    Evening(10_000, 2_000),
    Evening(100_000, 20_000),
    Evening(1_000_000, 200_000),
)


def section(rows: Sequence[Row]) -> str:
    """What stands in docs/scaling.md."""
    model = Model.fitted(rows)
    costs = [
        ("a process without sockets", f"{model.base_kib / 1024:.0f} MiB"),
        ("a socket", f"{shown(model.socket_kib)} KiB, and {shown(model.rest.slope)} µs of each second"),
        ("a join", f"{shown(model.join)} µs, and {shown(model.postgresql_join)} µs of PostgreSQL"),
        (
            "a message, to n people at one process",
            f"{shown(model.message.start)} + {shown(model.message.slope)} n µs,"
            f" and {shown(model.postgresql_message)} µs of PostgreSQL",
        ),
        (
            "the same at each further process",
            f"{shown(model.copy)} µs; {shown(model.redis_message.start)} + {shown(model.redis_message.slope)} a process"
            " of Redis",
        ),
    ]
    lines = ["| What | costs |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in costs), ""]
    lines += [
        "| people | rooms | messages/s | joins/s | pods | memory | PostgreSQL | Redis |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for evening in EVENINGS:
        bill = model.bill(evening)
        lines.append(
            f"| {evening.people:,} | {evening.rooms:,} | {evening.messages:,.0f} | {evening.joins:,.1f} |"
            f" {bill.pods:,.0f} | {bill.kib / 1024**2:,.1f} GiB | {shown(bill.postgresql)} | {shown(bill.redis)} |"
        )
    measured = f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine()}."
    return "\n".join(
        [measured, "", *lines, "", "<details><summary>The curves</summary>", "", table(rows), "", "</details>"]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth_model", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seconds in place of ten minutes; writes nothing")
    options = parser.parse_args()
    with own_database() as url:
        if not url:
            raise SystemExit(1)
        arguments = ["--quick"] if options.quick else []
        rows = run_group("growth", *arguments, DATABASE_URL=url, REDIS_URL=REDIS)
    text = section(rows)
    print(text)
    if not options.quick:
        PAGE.write_text(MARKED.sub(lambda found: f"{found[1]}{text}\n{found[2]}", PAGE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
