"""realtime, `/board` and `/board/{session_id}`: the page to hold a séance in, whose script decides what it shows."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static


def board(request: HttpRequest, session_id: str = "") -> HttpResponse:
    """The same page for every session, and for none: whether there is one, the script asks the API as the visitor."""
    return render(request, "realtime/board.html")


def icon(request: HttpRequest) -> HttpResponse:
    """What browsers ask for by themselves on pages that name none, as the admin's."""
    return redirect(static("realtime/board/icon.svg"))
