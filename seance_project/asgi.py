"""seance_project: the ASGI application: lifespan, HTTP and WebSocket, each to whom it is for."""

import os
from typing import Any

import django

from seance_project.env import one_line_refusal

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "seance_project.settings")

with one_line_refusal():
    django.setup()

# These need Django's settings.
from channels.routing import URLRouter  # noqa: E402

from realtime import process, sse  # noqa: E402
from realtime.bridge import Bridge  # noqa: E402
from realtime.routing import websocket_urlpatterns  # noqa: E402
from seance_project import drain  # noqa: E402
from seance_project.http import Http, turn_away  # noqa: E402
from seance_project.static import StaticFiles  # noqa: E402
from sessions_app import health  # noqa: E402

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
sockets = URLRouter(websocket_urlpatterns)
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


async def dispatch(scope: Any, receive: Any, send: Any) -> None:
    """One connection."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket" and health.draining:
        await turn_away(scope, receive, send)
    elif scope["type"] == "websocket":
        try:
            await sockets(scope, receive, send)
        except ValueError:  # no such path
            await send({"type": "websocket.close", "code": 4506})
    else:
        parts = await process.current()  # a server without a lifespan (daphne) starts here
        await http(scope, receive, send, bridge_for(scope["path"], parts))


application = StaticFiles(dispatch)
