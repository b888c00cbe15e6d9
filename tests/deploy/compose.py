"""Tests of deployment: compose.yaml with its variables filled in, as `docker compose config` would show it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.harness.processes import ROOT

FILE = ROOT / "deploy" / "compose.yaml"
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<what>[^}]*))?\}")
NEEDED = {
    "SECRET_KEY": "c0mpose-" + "0123456789abcdef" * 4,
    "JWT_SECRET": "c0mpose-jwt-" + "fedcba9876543210" * 4,
    "POSTGRES_PASSWORD": "s3cret",
}


class Missing(Exception):
    """A variable that must be set is not. Its text is the variable's name."""


def filled(variables: Mapping[str, str] = NEEDED) -> dict[str, Any]:
    """The whole file; raises `Missing`."""

    def value(found: re.Match[str]) -> str:
        given = variables.get(found["name"], "")
        if given or found["how"] == ":-":
            return given or found["what"]
        raise Missing(found["name"])

    def fill(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: fill(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [fill(inner) for inner in part]
        return VARIABLE.sub(value, part) if isinstance(part, str) else part

    document: dict[str, Any] = fill(yaml.safe_load(FILE.read_text()))
    return document
