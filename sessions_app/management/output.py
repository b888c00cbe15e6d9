"""sessions_app, the operator's door: data as a table for people, as columns for pipes, as JSON for programs.

What people typed is untrusted here too: a terminal obeys escape sequences, and bidirectional marks turn lines around.
"""

import io
import shutil
import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_DANGEROUS = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_JOINER = "\u200d"  # holds emoji together and moves nothing


def harmless(value: object) -> str:
    """The value as text on one line that no terminal takes for a command."""
    text = str(value).replace("\n", " ")
    if text.isprintable():
        return text
    safe = (one if one == _JOINER or unicodedata.category(one) not in _DANGEROUS else "\ufffd" for one in text)
    return "".join(safe)


def as_json(value: Any) -> str:
    """Indented JSON; times are RFC 3339, ids strings."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns of equal width under their names, two spaces apart, nothing cut."""
    cells = [list(columns), *([harmless(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "\n".join(lines)


def rich_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, color: bool = True) -> str:
    """The same for a terminal, as wide as it is. Cells are text, never markup."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    cells = [[harmless(cell) for cell in row] for row in rows]
    for at, name in enumerate(columns):
        # The first column is what the next command is given: it is never cut.
        width = max((len(row[0]) for row in cells), default=0) if at == 0 else None
        table.add_column(name, width=width, no_wrap=at == 0, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    return _rendered(table, color=color)


def plain_pairs(pairs: Sequence[tuple[str, object]]) -> str:
    """One `name  value` a line."""
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{name.ljust(width)}  {harmless(value)}" for name, value in pairs)


def rich_pairs(pairs: Sequence[tuple[str, object]], *, color: bool = True) -> str:
    """The same for a terminal; a value is never wrapped, so that it can be copied."""
    width = max(len(name) for name, _ in pairs)
    text = Text("\n").join(Text.assemble((name.ljust(width), "bold"), "  ", harmless(value)) for name, value in pairs)
    return _rendered(text, color=color)


def _rendered(what: Table | Text, *, color: bool) -> str:
    target = io.StringIO()
    width = shutil.get_terminal_size().columns
    console = Console(file=target, force_terminal=True, no_color=not color or None, width=width, highlight=False)
    console.print(what, soft_wrap=isinstance(what, Text))
    return target.getvalue().rstrip("\n")
