"""realtime, `/board` and `/board/{session_id}`: the page to hold a séance in. Its script decides what it shows."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def board(request: HttpRequest, session_id: str = "") -> HttpResponse:
    """The same page for every session, and for none: whether there is one, the script asks the API as the visitor."""
    return render(request, "realtime/board.html")
