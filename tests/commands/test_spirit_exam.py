"""tests/commands: the examination of the oracle as a command."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from sessions_app.management.base import Refused
from sessions_app.spirits import exam
from sessions_app.spirits.oracle.pack import pack_locales

pytestmark = pytest.mark.once


def test_the_oracle_passes_its_examination_in_every_language() -> None:
    out = StringIO()

    call_command("spirit_exam", "--json", "--sessions", "1", stdout=out)

    reports = json.loads(out.getvalue())
    assert [report["locale"] for report in reports] == list(pack_locales()) == ["en", "es"]
    for report in reports:
        assert report["questions"] >= 600
        assert report["held_out"] >= 60
        assert report["specific"] >= 0.95
        assert report["held_out_grouped"] >= 0.75
        assert report["faults"] == []


def test_one_language_is_chosen() -> None:
    out = StringIO()

    call_command("spirit_exam", "--locale", "es", "--sessions", "1", stdout=out)

    (locale,) = [line.split() for line in out.getvalue().splitlines() if line.startswith("locale")]
    assert locale == ["locale", "es"]


def test_a_figure_that_is_missed_is_named_with_its_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exam, "HELD_OUT", "heldout/none.txt")

    with pytest.raises(Refused, match="es: 60 held-out questions"):
        call_command("spirit_exam", "--locale", "es", "--sessions", "1", stdout=StringIO())


def test_an_unknown_persona_is_refused_in_one_line() -> None:
    with pytest.raises(Refused, match="no persona nobody"):
        call_command("spirit_exam", "--persona", "nobody", stdout=StringIO())
