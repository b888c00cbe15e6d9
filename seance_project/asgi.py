"""seance_project: the ASGI application: lifespan, HTTP and WebSocket, each to whom it is for."""

import os
from functools import partial
from typing import Any

import django
import structlog

from seance_project.env import one_line_refusal

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "seance_project.settings")

with one_line_refusal():
    django.setup()

# These need Django's settings.
from channels.routing import URLRouter  # noqa: E402
from django.urls import re_path  # noqa: E402

from realtime import process, sse  # noqa: E402
from realtime.bridge import Bridge  # noqa: E402
from realtime.middleware import origin_allowed  # noqa: E402
from realtime.routing import websocket_urlpatterns  # noqa: E402
from seance_project import drain  # noqa: E402
from seance_project.http import Http, turn_away  # noqa: E402
from seance_project.static import StaticFiles  # noqa: E402
from sessions_app import health  # noqa: E402
from sessions_app.api.stream import DRAIN_RETRY_MS  # noqa: E402
from sessions_app.errors import Code, SeanceError  # noqa: E402

log = structlog.get_logger(__name__)

SLOW = {
    "/api/auth/token",
    "/api/auth/register",
    "/api/auth/upgrade",
    "/api/auth/password",
    "/api/auth/password/reset",
    "/api/auth/password/set",
    "/admin/login",
}

http = Http(sse.stream)
nowhere: Any = partial(turn_away, refused=SeanceError(Code.NOT_FOUND))
sockets = URLRouter([*websocket_urlpatterns, re_path("", nowhere)])
drain.on_drain(process.drain)


async def lifespan(receive: Any, send: Any) -> None:
    """The server's start and stop."""
    while True:
        message = await receive()
        try:
            await (process.current() if message["type"] == "lifespan.startup" else process.shutdown())
        except Exception as error:  # noqa: BLE001  the server logs the text and ends
            await send({"type": f"{message['type']}.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def bridge_for(path: str, parts: process.Process) -> Bridge:
    """The threads that a request is answered in."""
    # A probe must be answered when every thread waits for a database that hangs.
    if path.startswith(("/health", "/metrics")):
        return parts.probe_bridge
    # What hashes a password, or waits for a mail server or an OAuth provider, is slow by its nature: a flood of it
    # waits for itself, and neither for nor before anything else.
    if path.rstrip("/") in SLOW or path.startswith("/api/auth/oauth/"):
        return parts.slow_bridge
    return parts.http_bridge


async def shake_hands(scope: Any, receive: Any, send: Any) -> None:
    """A WebSocket, unless it is refused before it is one."""
    if health.draining:  # a proxy then asks the next server
        await turn_away(scope, receive, send, SeanceError(Code.UNAVAILABLE, retry_after_ms=DRAIN_RETRY_MS))
    elif not origin_allowed(scope):
        log.info("ws_refused", reason="origin")
        await turn_away(scope, receive, send, SeanceError(Code.FORBIDDEN, "Pages of this origin may not come in."))
    else:
        await sockets(scope, receive, send)


async def dispatch(scope: Any, receive: Any, send: Any) -> None:
    """One connection."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await shake_hands(scope, receive, send)
    else:
        parts = await process.current()  # a server without a lifespan (daphne) starts here
        await http(scope, receive, send, bridge_for(scope["path"], parts))


application = StaticFiles(dispatch)
