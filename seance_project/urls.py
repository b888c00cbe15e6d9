"""seance_project: every path of the server."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from realtime import exposition, pages
from realtime import views as events
from sessions_app.api import docs, health, refusals


def both(route: str, view: Callable[..., Any], name: str) -> list[URLPattern]:
    """A route without and with a slash at its end: no client is redirected."""
    return [path(route, view, name=name), path(f"{route}/", view)]


urlpatterns: list[URLPattern | URLResolver] = [
    path("api/", include("sessions_app.api.urls")),
    path("api", refusals.not_found),
    *both("health", health.overall, "health"),
    *both("health/live", health.live, "health-live"),
    *both("health/ready", health.ready, "health-ready"),
    *both("metrics", refusals.safe_only(exposition.metrics), "metrics"),
    path("", refusals.safe_only(RedirectView.as_view(url="/docs")), name="home"),
    *both("docs", docs.swagger, "docs"),
    *both("redoc", docs.redoc, "redoc"),
    *both("openapi.json", docs.openapi, "openapi"),
    *both("docs/events", refusals.safe_only(events.page), "docs-events"),
    *both("asyncapi.json", refusals.safe_only(events.asyncapi), "asyncapi"),
    *both("board", refusals.safe_only(pages.board), "board"),
    *both("board/<str:session_id>", refusals.safe_only(pages.board), "board-session"),
    path("favicon.ico", refusals.safe_only(pages.icon)),
    path("admin/", admin.site.urls),
]

handler400 = refusals.bad_request
handler403 = refusals.forbidden
handler404 = refusals.not_found
handler500 = refusals.server_error
