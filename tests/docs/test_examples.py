"""Tests of the documentation: the examples of docs/ are decoded, loaded or run."""

import re
import secrets
from pathlib import Path

import msgspec
import pytest

from realtime import protocol
from seance_project import env
from sessions_app import events
from sessions_app.errors import CODES, Code
from tests.docs.pages import OPERATIONS, PROTOCOL, blocks, pages

# Those of the TypeScript client are not run here; clients/typescript/test/snippets.test.ts compiles them.
KNOWN = {"json", "text", "nginx", "sql", "mermaid", "sh", "python", "jsx", "ts", "tsx", "yaml"}
EXAMPLES = [msgspec.json.decode(block.text) for block in blocks(PROTOCOL) if block.language == "json"]


def test_every_block_says_what_it_is() -> None:
    assert {block.language for page in pages() for block in blocks(page)} <= KNOWN


@pytest.mark.parametrize("example", [one for one in EXAMPLES if "success" not in one and "timestamp" not in one])
def test_a_client_s_frame_is_understood(example: dict[str, object]) -> None:
    command = protocol.decode(msgspec.json.encode(example))

    assert command.is_bare is ("event" not in example)


@pytest.mark.parametrize("example", [one for one in EXAMPLES if "timestamp" in one])
def test_a_server_s_frame_is_one(example: dict[str, object]) -> None:
    frame = msgspec.convert(example, events.Frame)

    data = msgspec.convert(frame.data, events.SERVER_EVENTS[frame.event])

    assert msgspec.to_builtins(data) == frame.data


def test_the_envelopes_are_those_of_the_api() -> None:
    good, bad = (one for one in EXAMPLES if "success" in one)

    assert set(good) == {"success", "data", "meta"}
    assert set(bad) == {"success", "error", "meta"}
    assert bad["error"]["message"] == CODES[Code(bad["error"]["code"])].message


def test_the_production_environment_is_one_that_starts(tmp_path: Path) -> None:
    (text,) = [block.text for block in blocks(OPERATIONS) if "ENVIRONMENT=production" in block.text]
    lines = re.findall(r"^(\w+)=(\S+)", text, re.MULTILINE)

    given = {name: value.replace("…", secrets.token_urlsafe(48)) for name, value in lines}
    loaded = env.load({**given, "ENV_FILE": "/dev/null", "VAR_DIR": str(tmp_path)})

    assert loaded.is_production
    assert loaded.email_verification
