"""sessions_app, the kitchen: files that are made while they are sent, so that memory is bounded."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest, StreamingHttpResponse


def file_name(name: str, key: UUID, extension: str) -> str:
    """A name that every file system takes: ASCII letters, digits and hyphens."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40].strip("-").lower()
    return f"{words or 'session'}-{str(key)[-8:]}.{extension}"


def download(request: HttpRequest, pieces: Iterator[str], *, name: str, media_type: str) -> StreamingHttpResponse:
    """The answer that sends the pieces as a file. The first is made before it, so that a database that is away is still
    an error; `HEAD` makes none."""
    is_text = media_type.startswith("text/")
    headers: Mapping[str, str] = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Type": f"{media_type}; charset=utf-8" if is_text else media_type,
        "Cache-Control": "no-store",
    }
    first, rest = ("", iter(())) if request.method == "HEAD" else (next(pieces), pieces)
    # Django would collect a synchronous iterator into a list before an asynchronous server sends any of it.
    following = _behind(first, rest) if hasattr(request, "scope") else _after(first, rest)
    return StreamingHttpResponse(following, headers=headers)


def _after(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


async def _behind(first: str, rest: Iterator[str]) -> AsyncIterator[str]:
    yield first

    def following() -> str | None:
        return next(rest, None)

    while (piece := await sync_to_async(following)()) is not None:
        yield piece
