"""Tests of the documentation: what exists is documented, and what is documented exists."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.core.checks import registry
from django.urls import URLPattern, URLResolver, get_resolver

from realtime import asyncapi_words
from realtime.protocol import CLIENT_EVENTS
from seance_project.env import Env
from sessions_app.errors import CODES
from sessions_app.events import SERVER_EVENTS
from tests.docs import tables
from tests.docs.pages import OPERATIONS, PROTOCOL, README, ROOT, our_pages, pages, prose, rows, section, slugs

PAGES = pages()
OURS = our_pages()
ROOMS = ("realtime", "seance_project", "sessions_app")
SETTINGS = {name.upper() for name in Env.__struct_fields__}
# Words in capitals that are neither a setting nor an error code.
CAPITALS = {"ENV_FILE", "SEANCE_PROCESS_NAME", "NEXT_PUBLIC_SEANCE", "TCP_USER_TIMEOUT"}
# Names of other programs.
FOREIGN = {"max_connections", "post_save", "two_people"}
ELSEWHERE = ("https://keepachangelog.com/", "https://semver.org/")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def modules() -> Iterator[Path]:
    for room in ROOMS:
        yield from (ROOT / room).rglob("*.py")


@cache
def source() -> str:
    """The text of all modules, and of what is configured beside them."""
    files = [*modules(), ROOT / "Makefile", ROOT / "pyproject.toml"]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def in_backticks(page: Path) -> Iterator[str]:
    yield from re.findall(r"`([^`\n]+)`", prose(page))


# --- The tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", tables.PAGES, ids=name_of)
def test_the_generated_tables_are_fresh(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert tables.render(text) == text, "run `python -m tests.docs.tables`"


def test_every_generated_table_stands_in_one_place() -> None:
    placed = [found["name"] for page in PAGES for found in tables.MARKED.finditer(page.read_text(encoding="utf-8"))]

    assert sorted(placed) == sorted(tables.TABLES)


def test_the_tables_name_every_event_command_setting_code_and_metric() -> None:
    made = {name: {row[0].strip("`") for row in rows(make())} for name, make in tables.TABLES.items()}

    assert made["client-events"] == set(CLIENT_EVENTS)
    assert made["durable-events"] | made["state-events"] | made["answer-events"] == set(SERVER_EVENTS)
    assert made["settings"] == SETTINGS
    assert made["errors"] == {str(code) for code in CODES}
    assert made["closes"] == {str(code) for code in asyncapi_words.CLOSE_CODES}
    assert made["commands"] >= {"serve", "runserver", "join", "history", "create_session"}
    assert made["metrics"] == set(re.findall(r'"(seance_\w+)"', (ROOT / "realtime" / "metrics.py").read_text()))


# --- Paths, log lines, checks -----------------------------------------------------------------------------------------


def served() -> set[tuple[str, str]]:
    """Every (method, path) that the server routes, the admin and the slashed twins left out."""
    found: set[tuple[str, str]] = set()

    def walk(patterns: list[URLPattern | URLResolver], prefix: str) -> None:
        for one in patterns:
            if isinstance(one, URLResolver):
                if str(one.pattern) != "admin/":
                    walk(one.url_patterns, prefix + str(one.pattern))
                continue
            route = prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(one.pattern))
            if one.name is None or one.lookup_str.endswith("not_found"):
                continue
            actions = getattr(one.callback, "actions", None) or {"get": ""}
            found.update((method.upper(), f"/{route}") for method in actions if method != "head")

    walk(get_resolver().url_patterns, "")
    return found


def test_every_path_is_documented_and_no_other() -> None:
    text = section(PROTOCOL, "### 1.3 Endpoints")
    documented = {found for row in rows(text) for found in re.findall(r"`(GET|POST|PATCH|PUT|DELETE) (/\S*)`", row[0])}

    assert documented == served()


def test_every_log_line_is_documented_and_no_other() -> None:
    calls = re.compile(r'\blog\.(?:debug|info|warning|error|exception|log)\(\s*(?:40 if[^"]*)?"([^"]+)"')
    written = {name for path in modules() for name in calls.findall(path.read_text(encoding="utf-8"))}
    documented = {name for row in rows(section(OPERATIONS, "## Logs")) for name in re.findall(r"`([^`]+)`", row[0])}

    assert documented == written


def test_every_system_check_is_documented_and_no_other() -> None:
    written = set(re.findall(r"""["'](seance\.[EW]\d+)["']""", source()))
    documented = {row[0].strip("`") for row in rows(section(OPERATIONS, "## Checks at start"))}

    assert registry.registry.get_checks(include_deployment_checks=True)
    assert documented == written


# --- Words that claim that something exists ---------------------------------------------------------------------------


@pytest.mark.parametrize("page", OURS, ids=name_of)
def test_a_name_in_capitals_is_a_setting_or_a_code(page: Path) -> None:
    named = {word for text in in_backticks(page) for word in re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", text)}

    assert named <= SETTINGS | {str(code) for code in CODES} | CAPITALS


@pytest.mark.parametrize("page", OURS, ids=name_of)
def test_a_name_with_an_underscore_is_in_the_code(page: Path) -> None:
    named = {word for text in in_backticks(page) for word in re.findall(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b", text)}

    unknown = {name for name in named - FOREIGN if not re.search(rf"\b{name}\b", source())}
    assert {name for name in unknown if not name.startswith("test_")} == set()


@pytest.mark.parametrize("page", OURS, ids=name_of)
def test_a_close_code_is_one_that_is_sent(page: Path) -> None:
    text = re.sub(r"<!-- table: closes -->.*?<!-- end -->", "", prose(page), flags=re.DOTALL)
    ranges = {4000, 4499, 4500, 4999}
    named = {int(code) for code in re.findall(r"(?<![\w.,:-])4[05]\d\d(?![\w,-])", text)}

    assert named - ranges <= set(asyncapi_words.CLOSE_CODES)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_file_that_is_named_is_there(page: Path) -> None:
    named = {text for text in in_backticks(page) if re.fullmatch(r"[\w.-]+(/[\w.-]+)+(\.\w+)?", text)}

    for path in named - {"application/json"}:
        first = path.partition("/")[0]
        if first in {*ROOMS, "docs", "tests", "scripts"}:
            assert (ROOT / path).exists(), path


def test_the_settings_of_the_readme_exist() -> None:
    cells = [row[0] for row in rows(section(README, "## Settings"))]

    assert len(cells) > 5
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} <= SETTINGS


# --- Links and form ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^()\s]+)\)", prose(page).replace("\n", " ")):
        if "://" in link:
            assert link.startswith(ELSEWHERE), link
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in slugs(target), link


def test_the_sections_that_the_code_cites_are_there() -> None:
    numbers = set(re.findall(r"^#+ (\d(?:\.\d)?)\.? ", PROTOCOL.read_text(encoding="utf-8"), re.MULTILINE))
    cited = re.findall(r"docs/protocol\.md, (?:sections? )?(\d(?:\.\d)?)(?: and (\d\.\d))?", source())

    assert len(cited) > 3
    assert {number for pair in cited for number in pair if number} <= numbers


def test_every_page_of_docs_is_in_its_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in re.findall(r"\]\(([^#()]+)\)", prose(index))}

    assert {page for page in OURS if page.parent != ROOT} - {index} <= linked


def test_decisions_are_numbered_and_have_their_three_parts() -> None:
    found = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    assert [page.name[:3] for page in found] == [f"{number:03}" for number in range(1, len(found) + 1)]
    for page in found:
        headings = re.findall(r"^(#+ .+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert headings[0].startswith(f"# {page.name[:3]}: ")
        assert headings[1:] == ["## Context", "## Decision", "## Consequences"], page.name


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert re.search(r"^## \[Unreleased\]$", text, re.MULTILINE)
    kinds = set(re.findall(r"^### (\w+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
