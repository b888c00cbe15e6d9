"""sessions_app, the kitchen: what is traced: a span is a piece of work with a name, a beginning and an end.

Nothing is, and it costs a comparison, until the composition hands a tracer in. Names and attributes are ours: no text
that somebody typed, no value of a statement.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any, Protocol

Attributes = Mapping[str, str | int]
NO_ATTRIBUTES: Attributes = {}
# Whose work it is that is under way: asked only by a line that is written, or a span that is recorded.
ids: ContextVar[Callable[[], Mapping[str, Any]] | None] = ContextVar("ids", default=None)
_NOTHING = nullcontext()


class Tracer(Protocol):
    """What the composition hands in."""

    def span(self, name: str, attributes: Attributes, *, came_from: str, links: Sequence[Any]) -> Any:
        """A span, as a context manager. `came_from` is a `traceparent` header, empty for none."""

    def here(self) -> Any:
        """The span that is under way, for others to link to."""


_tracer: Tracer | None = None


def connect(tracer: Tracer | None) -> None:
    """Let spans be recorded; None ends that."""
    global _tracer  # noqa: PLW0603  one process, one tracer
    _tracer = tracer


def span(
    name: str, attributes: Attributes = NO_ATTRIBUTES, *, came_from: str = "", links: Sequence[Any] = ()
) -> AbstractContextManager[Any]:
    """Around a piece of work."""
    if _tracer is None:
        return _NOTHING
    found: AbstractContextManager[Any] = _tracer.span(name, attributes, came_from=came_from, links=links)
    return found


def here() -> Any:
    """The span that is under way; None where nothing is traced."""
    return None if _tracer is None else _tracer.here()
