"""seance_project: `.env.example`, written from the typed environment: `python -m seance_project.env_example`."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from seance_project.env import BASE_DIR, Env, allowed, meta

HEADER = """\
# Every variable, its default and what it may be. Copy this file to `.env` and change what you need; variables of the
# process win over the file, and one that is set to nothing counts as unset. Written by `make generate`: do not edit.
"""
PATH = BASE_DIR / ".env.example"


def render() -> str:
    """The text of the file."""
    blocks = [HEADER]
    for field in msgspec.structs.fields(Env):
        name, doc = field.name.upper(), meta(field).description
        blocks.append(f"# {doc}\n# {allowed(field)}\n#{name}={shown(field.default)}\n")
    return "\n".join(blocks)


def shown(default: Any) -> str:
    """A default as one would type it."""
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(default)
    return f'"{default}"' if " " in str(default) else str(default)


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"{PATH.name} written\n")
