"""seance_project, the doctor: every check in its order, and what came of them as text or JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from seance_project.doctor.findings import Check, Finding, State
from sessions_app.management import output

MARKS = {State.OK: "✓", State.WARNING: "!", State.WRONG: "✗"}


def checks() -> list[Check]:
    """All of them. What they need is imported here: the settings must be good before."""
    from seance_project.doctor import database, machine, neighbours, redis, settings

    return [one for module in (settings, machine, database, redis, neighbours) for one in module.CHECKS]


def is_well(found: Sequence[Finding]) -> bool:
    """Whether nothing is wrong; warnings are none of that."""
    return all(one.state is not State.WRONG for one in found)


def as_json(found: Sequence[Finding]) -> str:
    """`{"is_well": …, "findings": [{topic, state, said, remedy}, …]}`"""
    return output.as_json({"is_well": is_well(found), "findings": [one._asdict() for one in found]})


def as_text(found: Sequence[Finding]) -> str:
    """A line each, with the remedy below it."""
    lines = []
    for one in found:
        lines.append(f"{MARKS[one.state]} {one.topic}: {output.harmless(one.said)}")
        if one.remedy:
            lines.append(f"    → {output.harmless(one.remedy)}")
    counts = {state: sum(one.state is state for one in found) for state in State}
    return "\n".join([*lines, "", f"{counts[State.WRONG]} wrong, {counts[State.WARNING]} warnings."])


def refuse_settings(arguments: Sequence[str]) -> None:
    """Before Django reads the settings: where they are wrong, tell all that is, and end with 1.

    Without this `doctor` would be refused with the first one, as every other command is.
    """
    from seance_project.doctor.settings import wrong_settings

    if "--help" in arguments or "-h" in arguments or not (found := wrong_settings()):
        return
    sys.stdout.write((as_json if "--json" in arguments else as_text)(found) + "\n")
    raise SystemExit(1)
