"""Tests of a session's addresses: any URL that has its id leads to both doors."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sessions_app.errors import SeanceError
from sessions_app.management.addresses import parse

pytestmark = pytest.mark.once

ID = "01a203e1-c6ce-70ff-b0e5-3280a45dd154"


@pytest.mark.parametrize(
    ("session", "base", "socket"),
    [
        (ID, "ws://host:9", f"ws://host:9/ws/{ID}"),
        (ID.upper(), "https://host", f"wss://host/ws/{ID}"),
        (f"ws://host:9/ws/{ID}", "", f"ws://host:9/ws/{ID}"),
        (f"https://host/api/sessions/{ID}/history?limit=3", "", f"wss://host/ws/{ID}"),
        (f"https://host/below/ws/{ID}/", "", f"wss://host/below/ws/{ID}"),
        (f"http://host/seance/{ID}", "", f"ws://host/ws/{ID}"),
        (f"http://host/ws/{ID}", "ws://other:1", f"ws://other:1/ws/{ID}"),
        (ID, "ws://[::1]:9/", f"ws://[::1]:9/ws/{ID}"),
    ],
)
def test_the_socket_is_found(session: str, base: str, socket: str) -> None:
    address = parse(session, base)

    assert address.socket == socket
    assert address.rest == socket.replace("ws", "http", 1).replace("/ws/", "/api/sessions/")


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("fe80::1", "[fe80::1]")])  # noqa: S104
def test_without_a_server_it_is_the_one_of_the_settings(settings: Any, host: str, shown: str) -> None:
    settings.SEANCE = replace(settings.SEANCE, host=host, port=8123)

    assert parse(ID).rest == f"http://{shown}:8123/api/sessions/{ID}"


@pytest.mark.parametrize(("session", "base"), [("nonsense", ""), ("", ""), (ID, "ftp://host"), (ID, "host:9")])
def test_what_is_no_address_is_refused(session: str, base: str) -> None:
    with pytest.raises(SeanceError):
        parse(session, base)
