"""realtime, HTTP requests as metrics: whatever is asked for, the labels are from a short list."""

from realtime import metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"})
# What stands behind /api/, and what stands behind a session's id.
AREAS = frozenset({"sessions", "spirits", "board", "auth", "analytics", "reports", "users"})
PARTS = frozenset({"history", "messages", "participants", "transcript", "events", "invites", "reports"})
PAGES = frozenset({"health", "metrics", "docs", "redoc", "openapi.json", "asyncapi.json", "admin"})
OTHER = "other"

_children: dict[tuple[str, str, int], metrics.Child] = {}
_seconds = {name: metrics.HTTP_SECONDS.labels(name) for name in (*AREAS, *PARTS, *PAGES, "session", OTHER)}


def route_of(path: str) -> str:
    """The class of a path: `session`, `history`, `auth`, `health` …, or `other`."""
    steps = path.strip("/").split("/", 4)
    if steps[0] != "api":
        return steps[0] if steps[0] in PAGES else OTHER
    area = steps[1] if len(steps) > 1 and steps[1] in AREAS else OTHER
    if area != "sessions" or len(steps) == 2:
        return area
    if len(steps) == 3:
        return "session"
    return steps[3] if steps[3] in PARTS else OTHER


def count(method: str, path: str, status: int, seconds: float) -> None:
    """One request was answered with `status` after `seconds`; of a stream, its beginning."""
    route = route_of(path)
    key = (method if method in METHODS else OTHER, route, status // 100)
    child = _children.get(key)
    if child is None:
        child = _children[key] = metrics.HTTP_REQUESTS.labels(key[0], route, f"{key[2]}xx")
    child.inc()
    _seconds[route].observe(seconds)
