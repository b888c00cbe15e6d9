"""seance_project: static files, served before Django is reached: from STATIC_ROOT, or from where the apps keep them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders
from servestatic import ServeStaticASGI

from realtime.middleware import header
from seance_project.middleware import request_id_of


def is_missing() -> bool:
    """Whether STATIC_ROOT lacks what collectstatic leaves behind, without which no page can name its files."""
    root = settings.STATIC_ROOT
    return root is not None and not (root / "staticfiles.json").is_file()


def _headers(headers: Any, _path: str, _url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"


class StaticFiles:
    """ASGI middleware: paths below STATIC_URL's are files, everything else goes on to the application.

    What is in STATIC_ROOT has its hash in its name, and is kept for ever. Without STATIC_ROOT a browser asks each time
    whether a file is still the same, so that it never mixes two releases; in development it is also looked up anew
    each time, so that an edit shows. Any origin may load it: a page takes fonts and modules from a CDN only with that.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        self.prefix = urlsplit(settings.STATIC_URL).path
        self.files = ServeStaticASGI(
            application,
            autorefresh=not settings.SEANCE.is_production and not settings.STATIC_ROOT,
            max_age=0,
            add_headers_function=_headers,
        )
        if settings.STATIC_ROOT:
            self.files.add_files(settings.STATIC_ROOT, prefix=self.prefix)
            return
        for finder in finders.get_finders():
            for storage in getattr(finder, "storages", {}).values():
                self.files.add_files(storage.location, prefix=self.prefix + (getattr(storage, "prefix", "") or ""))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self.prefix):
            await self.application(scope, receive, send)
            return
        request_id = (b"x-request-id", request_id_of(header(scope, b"x-request-id")).encode())

        async def with_id(message: Any) -> None:
            # A file that is missing is Django's to answer, which gives an id of its own.
            if message["type"] == "http.response.start" and b"x-request-id" not in dict(message["headers"]):
                message["headers"] = [*message["headers"], request_id]
            await send(message)

        await self.files(scope, receive, with_id)
