"""seance_project: static files, served before Django is reached, from where the apps keep them: nothing to collect."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from servestatic import ServeStaticASGI


def _headers(headers: Any, _path: str, _url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"


class StaticFiles:
    """ASGI middleware: paths below STATIC_URL are files, everything else goes on to the application.

    In development a file is looked up anew each time, so that an edit shows.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        self.prefix = f"/{settings.STATIC_URL.strip('/')}/"
        production = settings.SEANCE.is_production
        self.files = ServeStaticASGI(
            application,
            autorefresh=not production,
            max_age=3600 if production else 0,
            allow_all_origins=False,
            add_headers_function=_headers,
        )
        for finder in finders.get_finders():
            for storage in getattr(finder, "storages", {}).values():
                self.files.add_files(storage.location, prefix=self.prefix + (getattr(storage, "prefix", "") or ""))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        static = scope["type"] == "http" and scope["path"].startswith(self.prefix)
        await (self.files if static else self.application)(scope, receive, send)
