"""seance_project: logs. One event is one line: coloured in development, JSON in production.

What is logged through the standard library takes the same way. No line can be forged by a newline in a value, no value
is longer than a thousand characters, and what people say or prove themselves with is never written.
"""

from __future__ import annotations

import logging
import logging.config
import math
import re
import sys
from collections.abc import Callable
from typing import Any, Final, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from sessions_app import spans

MAX_VALUE: Final = 1000
MAX_TRACEBACK: Final = 8000
MAX_ITEMS: Final = 50
REDACTED: Final = "[redacted]"
SECRET_WORDS: Final = ("authorization", "cookie", "csrf", "jwt", "password", "passwd", "secret", "token", "api_key")
SECRET_KEYS: Final = frozenset({"access", "refresh", "text", "message", "body", "bearer", "params", "args"})
# A JWT, a bearer's token and the password in a URL, wherever they stand in a text.
CREDENTIALS: Final = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"
    r"|(?P<bearer>(?i:bearer)[ .])[\w.~+/=-]{16,}"
    r"|(?P<user>://[^/\s:@]*:)[^/\s@]+(?=@)"
)


def is_secret(key: str) -> bool:
    """Whether values of this name are kept out of the logs."""
    lowered = key.lower().replace("-", "_")
    return lowered in SECRET_KEYS or any(word in lowered for word in SECRET_WORDS)


def cleaner(traceback_prefix: str) -> Processor:
    """The processor that makes an event fit to be written; a traceback keeps its lines, each behind the prefix."""

    def clean(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        exception = event.pop("exception", None)
        found = cleaned(event)
        if exception is not None:
            lines = str(exception)[-MAX_TRACEBACK:].splitlines()
            found["exception"] = "\n".join(traceback_prefix + _one_line(line) for line in lines)
        return cast(EventDict, found)

    return clean


def cleaned(value: Any) -> Any:
    """Short, on one line, something that JSON has, and without what nobody may read in a log."""
    if value is None or isinstance(value, bool) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, int):
        return value if value.bit_length() < 64 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, dict):
        items = [(str(key), item) for key, item in list(value.items())[:MAX_ITEMS]]
        return {_one_line(key, 100): REDACTED if is_secret(key) else cleaned(item) for key, item in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [cleaned(item) for item in list(value)[:MAX_ITEMS]]
    return _one_line(value if isinstance(value, str) else repr(value))


def _one_line(value: str, limit: int = MAX_VALUE) -> str:
    """Printable and capped, without a token or a password in a URL. Controls, bidi marks and surrogates are escaped."""
    value = CREDENTIALS.sub(lambda found: (found["bearer"] or found["user"] or "") + REDACTED, value)
    cut = value if len(value) <= limit else f"{value[:limit]}…(+{len(value) - limit})"
    if cut.isprintable():
        return cut
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in cut)


def _from_stdlib(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Uvicorn gives each message a second, coloured form."""
    event.pop("color_message", None)
    return event


_contexts: list[Callable[[], dict[str, str]]] = []


def add_context(source: Callable[[], dict[str, str]]) -> None:
    """Let every line have more ids than those of whoever works."""
    _contexts.append(source)


def ids() -> dict[str, Any]:
    """Whose work it is that is under way."""
    told = spans.ids.get()
    return {**(told() if told is not None else {}), **structlog.contextvars.get_contextvars()}


def _with_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    found = ids()
    for source in _contexts:
        found.update(source())
    return {**found, **event}


def shared_processors() -> list[Processor]:
    """What every event passes, wherever it was logged."""
    return [
        _with_ids,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _from_stdlib,
    ]


def final_processors(*, as_json: bool, colors: bool) -> list[Processor]:
    """From an event to its line."""
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    )
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        cleaner("" if as_json else "  | "),
        renderer,
    ]


def configure(*, level: str, as_json: bool, stream: TextIO | None = None) -> None:
    """Route structlog and the standard library to one stream, by default standard error, in one shape."""
    stream = stream or sys.stderr
    shared = shared_processors()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": final_processors(as_json=as_json, colors=not as_json and stream.isatty()),
                }
            },
            "handlers": {"stream": {"class": "logging.StreamHandler", "formatter": "line", "stream": stream}},
            "root": {"handlers": ["stream"], "level": level},
            "loggers": {
                # Our own middleware logs requests; these would log them again, tokens in query strings included.
                **{name: {"level": "CRITICAL"} for name in TWICE},
                # A 4xx is the client's error and has its request line; a 5xx comes with its traceback.
                "django.request": {"level": "ERROR"},
                **{
                    name: {"level": max("WARNING", level, key=logging.getLevelNamesMapping().__getitem__)}
                    for name in NOISY
                },
            },
        }
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


TWICE: Final = ("uvicorn.access", "django.channels.server", "daphne.http_protocol", "django.security.DisallowedHost")
# `django.db.backends` logs statements with their values, which are people's words: sql_log.py logs them without.
NOISY: Final = (
    "asyncio", "autobahn", "daphne", "django.db.backends", "django.template", "django.utils.autoreload",
    "httpcore", "httpcore2", "httpx", "httpx2", "openai", "uvicorn", "uvicorn.error", "uvicorn.asgi", "websockets",
)  # fmt: skip
