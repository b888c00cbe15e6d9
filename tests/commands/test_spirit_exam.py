"""tests/commands: the examination of the oracle as a command."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from sessions_app.management.base import Refused

pytestmark = pytest.mark.once


def test_the_oracle_passes_its_examination_in_json() -> None:
    out = StringIO()

    call_command("spirit_exam", "--json", "--sessions", "1", stdout=out)

    report = json.loads(out.getvalue())
    assert report["questions"] >= 600
    assert report["specific"] >= 0.95
    assert report["faults"] == []


def test_an_unknown_persona_is_refused_in_one_line() -> None:
    with pytest.raises(Refused, match="no persona nobody"):
        call_command("spirit_exam", "--persona", "nobody", stdout=StringIO())
