"""Tests of the documentation: what exists is documented, and what is documented exists."""

import re
from pathlib import Path

import pytest
from django.core.checks import registry
from django.core.management import get_commands
from django.urls import URLPattern, URLResolver, get_resolver

from realtime import asyncapi_words
from realtime.protocol import CLIENT_EVENTS
from sessions_app.errors import CODES
from sessions_app.events import SERVER_EVENTS
from tests.docs import tables, words
from tests.docs.pages import OPERATIONS, PROTOCOL, README, ROOT, pages, prose, rows, section, slugs

PAGES = pages()
ELSEWHERE = ("https://keepachangelog.com/", "https://semver.org/")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


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
    assert made["settings"] == words.SETTINGS
    assert made["errors"] == {str(code) for code in CODES}
    assert made["closes"] == {str(code) for code in asyncapi_words.CLOSE_CODES}
    assert made["commands"] == {name for name, app in get_commands().items() if app in tables.COMMANDS}
    assert made["metrics"] == words.METRICS


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
    calls = re.compile(r'\b(?:log\.(?:debug|info|warning|error|exception|log)|outliving)\(\s*(?:40 if[^"]*)?"([^"]+)"')
    written = {name for path in words.modules() for name in calls.findall(path.read_text(encoding="utf-8"))}
    documented = {name for row in rows(section(OPERATIONS, "## Logs")) for name in re.findall(r"`([^`]+)`", row[0])}

    assert documented == written


def test_every_system_check_is_documented_and_no_other() -> None:
    written = set(re.findall(r"""["'](seance\.[EW]\d+)["']""", words.source()))
    documented = {row[0].strip("`") for row in rows(section(OPERATIONS, "## Checks at start"))}

    assert registry.registry.get_checks(include_deployment_checks=True)
    assert documented == written


# --- Words that claim that something exists ---------------------------------------------------------------------------


@pytest.mark.parametrize("rule", words.RULES)
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_names_exists(page: Path, rule: str) -> None:
    assert words.RULES[rule](page.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("rule", "planted", "named"),
    [
        ("settings and codes", "Set `SPIRIT_LOUDNESS` for that.", "SPIRIT_LOUDNESS"),
        ("settings and codes", "```sh\nSPIRIT_LOUDNESS=3 make run\n```", "SPIRIT_LOUDNESS"),
        ("settings and codes", "```yaml\n      SPIRIT_LOUDNESS: 3\n```", "SPIRIT_LOUDNESS"),
        ("settings and codes", "It answers `TABLE_TOO_SMALL`.", "TABLE_TOO_SMALL"),
        ("names", "Everybody gets `candle_lit`.", "candle_lit"),
        ("names", "| `candle_lit` | `{user}` | A candle. |", "candle_lit"),
        ("metrics", "Watch `seance_candles`.", "seance_candles"),
        ("metrics", "```\nrate(seance_candles_total[5m])\n```", "seance_candles_total"),
        ("close codes", "It is closed with 4599.", "4599"),
        ("commands", "Call `python manage.py light_candles`.", "manage.py light_candles"),
        ("commands", "Call `light_candles --all`.", "light_candles --all"),
        ("commands", "Call `purge --gently`.", "purge --gently"),
        (
            "commands",
            "```sh\nmanage.py connections drop --softly\n```",
            "manage.py connections drop --softly",
        ),
    ],
)
@pytest.mark.parametrize("page", [README, PROTOCOL, OPERATIONS], ids=name_of)
def test_what_does_not_exist_is_found_on_any_page(page: Path, rule: str, planted: str, named: str) -> None:
    text = f"{page.read_text(encoding='utf-8')}\n\n{planted}\n"

    assert words.RULES[rule](text) == {named}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_file_that_is_named_is_there(page: Path) -> None:
    told = words.in_backticks(page.read_text(encoding="utf-8"))
    named = {text for text in told if re.fullmatch(r"[\w.-]+(/[\w.-]+)+(\.\w+)?", text)}

    for path in named - {"application/json"}:
        first = path.partition("/")[0]
        if first in {*words.ROOMS, "docs", "tests", "scripts"}:
            assert (ROOT / path).exists(), path


def test_the_settings_of_the_readme_exist() -> None:
    cells = [row[0] for row in rows(section(README, "## Settings"))]

    assert len(cells) > 5
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} <= words.SETTINGS


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
    cited = re.findall(r"docs/protocol\.md, (?:sections? )?(\d(?:\.\d)?)(?: and (\d\.\d))?", words.source())

    assert len(cited) > 3
    assert {number for pair in cited for number in pair if number} <= numbers


def test_every_page_of_docs_is_in_its_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in re.findall(r"\]\(([^#()]+)\)", prose(index))}

    assert {page for page in PAGES if page.parent != ROOT} - {index} <= linked


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
