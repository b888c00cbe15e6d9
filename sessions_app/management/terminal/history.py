"""sessions_app, the terminal client: the history over REST, for when a gap is too long to be resumed."""

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

PAGE = 200
SECONDS = 10.0


async def read_history(resource: str, *, after_seq: int, token: str | None) -> list[dict[str, Any]] | None:
    """Every message of the session at `resource` after this position, in order; None where it cannot be read."""
    found: list[dict[str, Any]] = []
    try:
        while True:
            body = await asyncio.to_thread(_page, resource, after_seq, token)
            found += body["data"]
            if not body["meta"]["has_more"] or not body["data"]:
                return found
            after_seq = body["data"][-1]["seq"]
    except (OSError, urllib.error.URLError, ValueError, KeyError, TypeError):
        return None


def _page(resource: str, after_seq: int, token: str | None) -> Any:
    query = urllib.parse.urlencode({"after_seq": after_seq, "limit": PAGE})
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(f"{resource}/history?{query}", headers=headers)  # noqa: S310  http(s), by addresses
    with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310
        return json.load(response)
