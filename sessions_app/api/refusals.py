"""sessions_app/api, the REST door: errors that arise outside any view, in the same envelope."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from sessions_app.api.envelope import refusal
from sessions_app.api.errors import translate
from sessions_app.errors import Code, SeanceError
from sessions_app.outage import OUTAGE


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """handler404, and the last route below /api."""
    return refusal(SeanceError(Code.NOT_FOUND))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """handler400: a foreign host name, or anything else that smells of an attack."""
    return refusal(translate(exception or SuspiciousOperation()))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """handler403."""
    return refusal(SeanceError(Code.FORBIDDEN))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW; the reason is for logs, which Django writes."""
    return refusal(SeanceError(Code.FORBIDDEN, "The CSRF token is missing or wrong."))


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: what no view caught, a database that went away in a middleware included. Django logs it."""
    error = sys.exc_info()[1]
    if isinstance(error, OUTAGE):
        return refusal(translate(error))
    return refusal(SeanceError(Code.INTERNAL_ERROR))


View = Callable[..., HttpResponseBase]


def safe_only(view: View) -> View:
    """A plain view that answers GET and HEAD, and refuses everything else in the envelope."""

    @csrf_exempt  # nothing is changed here, and a wrong method shall be told so
    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method in ("GET", "HEAD"):
            return view(request, *args, **kwargs)
        return wrong_method()

    return wrapped


def wrong_method(allowed: str = "GET, HEAD") -> HttpResponse:
    """A 405 with its `Allow`."""
    response = refusal(SeanceError(Code.METHOD_NOT_ALLOWED))
    response["Allow"] = allowed
    return response
