"""seance_project, the doctor: what a check says, and how all of them are run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from seance_project.env import Env


class State(StrEnum):
    """How it stands; only `wrong` makes the exit code 1."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


class Finding(NamedTuple):
    """One thing that was looked at. `remedy` is what to do, empty where all is well."""

    topic: str
    state: State
    said: str
    remedy: str = ""


Check = Callable[[Env], Iterable[Finding]]


def ok(topic: str, said: str) -> Finding:
    return Finding(topic, State.OK, said)


def warning(topic: str, said: str, remedy: str) -> Finding:
    return Finding(topic, State.WARNING, said, remedy)


def wrong(topic: str, said: str, remedy: str) -> Finding:
    return Finding(topic, State.WRONG, said, remedy)


def visit(env: Env, checks: Iterable[Check]) -> Iterator[Finding]:
    """Run the checks in order; one that fails by itself is a finding, too."""
    for check in checks:
        try:
            yield from check(env)
        except Exception as error:  # noqa: BLE001  the others shall be heard
            topic = (check.__doc__ or check.__name__).partition(":")[0]
            yield wrong(
                topic, f"could not be looked at: {' '.join(f'{type(error).__name__}: {error}'.split())}", REPORT
            )


REPORT = "Set right what it says, or report it as a fault of the doctor."
