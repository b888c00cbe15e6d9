"""sessions_app, the admins' room: charts as SVG, drawn by the server. Pure: numbers in, shapes out.

A shape is an attribute's value; colours are classes, which admin.css gives in light and in dark.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 640, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 6, 8, 24
_INNER, _TALL = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
LABELS = 6  # about so many under the axis

Value = float | None


class Series(NamedTuple):
    """Numbers over time; None is a gap. `tone` is a class of admin.css."""

    name: str
    tone: str
    kind: Literal["bars", "line"]
    values: Sequence[Value]


class Tick(NamedTuple):
    """A label, and where it stands on its axis."""

    at: str
    text: str


class Bar(NamedTuple):
    """A rectangle."""

    x: str
    y: str
    width: str
    height: str


class Drawn(NamedTuple):
    """A series with its shapes: bars, or the `d` of a path."""

    series: Series
    bars: list[Bar]
    path: str

    @property
    def rects(self) -> SafeString:
        """The bars: a page has hundreds, and in a template each of their numbers is a node of its own."""
        return format_html_join("", '<rect x="{}" y="{}" width="{}" height="{}"/>', self.bars)


class Chart(NamedTuple):
    """What the template draws; `rows` is the same as a table: a label, and a text for each series."""

    title: str
    drawn: list[Drawn]
    across: list[Tick]
    up: list[Tick]
    rows: list[tuple[str, list[str]]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    base: int = HEIGHT - BOTTOM

    @property
    def table(self) -> SafeString:
        """The rows of the table's body; see `rects`."""
        cells = ((label, format_html_join("", '<td class="number">{}</td>', zip(texts))) for label, texts in self.rows)
        return format_html_join("", '<tr><th scope="row">{}</th>{}</tr>', cells)


def chart(title: str, labels: Sequence[str], series: Sequence[Series], *, unit: str = "", least: float = 1) -> Chart:
    """A chart of some series over the same steps; its axis ends at `least` or above."""
    top = ceiling(max([least, *(value for one in series for value in one.values if value is not None)]))
    step = _INNER / max(1, len(labels))
    every = max(1, round(len(labels) / LABELS))
    across = [Tick(_text(LEFT + (n + 0.5) * step), label) for n, label in enumerate(labels) if n % every == every // 2]
    up = [Tick(_text(_y(top * part, top)), f"{shown(top * part)}{unit}") for part in (0.0, 0.5, 1.0)]
    rows = [
        (label, ["–" if one.values[n] is None else f"{shown(one.values[n] or 0)}{unit}" for one in series])
        for n, label in enumerate(labels)
    ]
    return Chart(title, [_drawn(one, step, top) for one in series], across, up, rows)


def _drawn(series: Series, step: float, top: float) -> Drawn:
    if series.kind == "line":
        return Drawn(series, [], _path(series.values, step, top))
    bars = [
        Bar(
            _text(LEFT + (n + 0.1) * step),
            _text(_y(value, top)),
            _text(step * 0.8),
            _text(HEIGHT - BOTTOM - _y(value, top)),
        )
        for n, value in enumerate(series.values)
        if value
    ]
    return Drawn(series, bars, "")


def _path(values: Sequence[Value], step: float, top: float) -> str:
    """A line through the middles of the steps, broken at gaps; what stands alone is a dash as wide as its step."""
    parts, is_open = [], False
    for n, value in enumerate(values):
        if value is None:
            is_open = False
            continue
        x, y = LEFT + (n + 0.5) * step, _text(_y(value, top))
        alone = not is_open and (n + 1 == len(values) or values[n + 1] is None)
        if alone:
            parts.append(f"M{_text(x - step / 2)} {y}H{_text(x + step / 2)}")
        else:
            parts.append(f"{'L' if is_open else 'M'}{_text(x)} {y}")
        is_open = True
    return "".join(parts)


def _y(value: float, top: float) -> float:
    return TOP + _TALL * (1 - value / top)


def _text(number: float) -> str:
    return f"{number:.1f}"


def ceiling(most: float) -> float:
    """The next 1, 2, 5 or 10 times a power of ten."""
    unit = 10.0 ** math.floor(math.log10(most))
    return next(unit * step for step in (1, 2, 5, 10) if unit * step >= most * (1 - 1e-9))


def shown(number: float) -> str:
    """A number for people: three digits after the point where it is small, none where it is large."""
    return f"{number:,.0f}" if number >= 100 or number == int(number) else f"{number:.3g}"
