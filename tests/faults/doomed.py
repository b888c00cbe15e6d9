"""Tests of what can go wrong: a server that dies at one exact point of a turn.

`python -m tests.faults.doomed python manage.py serve …` runs the command in this process, with SIGKILL laid at the
point that DOOM names. The file DOOM_ONCE is the only fuse: of several servers, whoever takes it away dies.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

POINTS = (
    "before_claim",
    "claimed_and_untold",
    "told_to_think",
    "call_reserved",
    "board_line_heard",
    "moves_placed",
    "first_move_told",
    "first_sentence_told",
    "answer_begun",
    "answer_uncommitted",
    "answer_committed_and_untold",
)


def die() -> None:
    """SIGKILL to this process, if nobody took the fuse before."""
    try:
        Path(os.environ["DOOM_ONCE"]).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, when: Callable[..., bool] = lambda *_, **__: True) -> None:
    """Die instead of calling this."""
    original = getattr(owner, name)

    def doomed(*args: Any, **kwargs: Any) -> Any:
        if when(*args, **kwargs):
            die()
        return original(*args, **kwargs)

    setattr(owner, name, doomed)


def after(owner: Any, name: str, when: Callable[..., bool] = lambda *_, **__: True) -> None:
    """Call this, and die."""
    original = getattr(owner, name)

    def doomed(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if when(*args, **kwargs):
            die()
        return result

    setattr(owner, name, doomed)


def lay(point: str) -> None:
    """Lay the fuse; Django is set up."""
    from realtime.turns import TurnRunner
    from sessions_app import publish
    from sessions_app.selectors import shapes
    from sessions_app.services import budget, turns

    def tells(event: str) -> Callable[[Sequence[publish.Notice]], bool]:
        return lambda notices: any(notice.event == event for notice in notices)

    def says(event: str) -> Callable[..., bool]:
        return lambda _runner, _claim, told, _data: told == event

    {
        "before_claim": lambda: before(turns, "claim"),
        "claimed_and_untold": lambda: before(publish, "_emit", tells("spirit_thinking")),
        "told_to_think": lambda: before(TurnRunner, "_see_through"),
        "call_reserved": lambda: after(budget, "reserve"),
        "board_line_heard": lambda: before(TurnRunner, "_begin_moves"),
        "moves_placed": lambda: after(turns, "begin_moves"),
        "first_move_told": lambda: after(TurnRunner, "_tell", says("spirit_move")),
        "first_sentence_told": lambda: after(TurnRunner, "_tell", says("spirit_voice")),
        "answer_begun": lambda: before(turns, "answer"),
        "answer_uncommitted": lambda: before(shapes, "message_event"),
        "answer_committed_and_untold": lambda: before(publish, "_emit", tells("spirit_response")),
    }[point]()


def main() -> None:
    """Run the rest of the command line here."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "seance_project.settings")
    import django

    django.setup()
    if os.environ.get("DOOM"):
        lay(os.environ["DOOM"])
    sys.argv = sys.argv[2:]
    from manage import main as run

    run()


if __name__ == "__main__":
    main()
