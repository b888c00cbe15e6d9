"""realtime, `/board` and `/board/{session_id}`: the page to hold a séance in. Its script decides what it shows."""

import hashlib
from functools import cache
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

_BUILT = Path(__file__).parent / "static" / "realtime" / "board"


def board(request: HttpRequest, session_id: str = "") -> HttpResponse:
    """The same page for every session, and for none: whether there is one, the script asks the API as the visitor."""
    return render(request, "realtime/board.html", {"version": version()})


@cache
def version() -> str:
    """Names the built script and style in their addresses, so that no browser mixes two releases."""
    digest = hashlib.sha256()
    for name in ("board.js", "board.css"):
        digest.update((_BUILT / name).read_bytes())
    return digest.hexdigest()[:12]
