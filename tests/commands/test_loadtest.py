"""Tests of `loadtest`: the judge on made-up evenings, and the whole on a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sessions_app.management.loadtest.verdict import Heard, Said, Verdict, judge, together
from tests.harness.processes import ROOT, clean_environment, free_port, manage
from tests.harness.server import Server

STORED = [Said(1, "a"), Said(2, "b"), Said(4, "c")]  # 3 is an event that is no message
ACKED = {"a": 1, "b": 2, "c": 4}


@pytest.mark.once
@pytest.mark.parametrize(
    ("stored", "acked", "heard", "verdict"),
    [
        (STORED, ACKED, [Heard(0, [1, 2, 3, 4])], (0, 0, 0)),
        (STORED, ACKED, [Heard(1, [2, 3, 4])], (0, 0, 0)),
        (STORED, ACKED, [Heard(0, [1, 3, 4])], (1, 0, 0)),
        (STORED, ACKED, [Heard(0, [1, 2])], (1, 0, 0)),
        (STORED, ACKED, [Heard(0, [1, 2, 2, 4])], (0, 1, 0)),
        (STORED, ACKED, [Heard(0, [2, 1, 4])], (0, 0, 1)),
        (STORED, ACKED, [Heard(0, [1]), Heard(2, [4])], (0, 0, 0)),
        (STORED, ACKED, [Heard(0, [1, 4]), Heard(4, [])], (1, 0, 0)),
        (STORED[:2], ACKED, [Heard(0, [1, 2])], (1, 0, 0)),
        ([Said(1, "a"), Said(2, "a")], {"a": 1}, [Heard(0, [1, 2])], (0, 1, 0)),
        ([Said(2, "a")], {"a": 1}, [Heard(0, [2])], (1, 0, 0)),
        ([], {}, [], (0, 0, 0)),
    ],
)
def test_the_judge_counts_what_is_wrong(
    stored: list[Said], acked: dict[str, int], heard: list[Heard], verdict: tuple[int, int, int]
) -> None:
    assert judge(stored, acked, [heard] if heard else []) == verdict


@pytest.mark.once
def test_verdicts_add_up() -> None:
    assert together([Verdict(1, 2, 3), Verdict(0, 0, 1)]) == (1, 2, 4)
    assert together([]).holds


@pytest.mark.processes
def test_an_evening_on_a_real_server_is_well(shared_server: Server) -> None:
    said = manage(
        "loadtest", "--url", shared_server.base, "--rooms", "3", "--people", "4", "--seconds", "2", "--rate", "10",
        "--json",
        env=clean_environment(VAR_DIR=os.fspath(shared_server.log.parent)),
    )  # fmt: skip

    report = json.loads(said)
    assert report["verdict"] == {"lost": 0, "doubled": 0, "reordered": 0}
    assert (report["people"], report["sent"], report["acked"], report["unanswered"]) == (12, 60, 60, 0)
    assert report["delivered"] == 4 * 60
    assert 0 < report["ack_ms"]["p50"] <= report["ack_ms"]["p99"] <= report["ack_ms"]["max"]
    assert report["closes"] == {}
    open_ = shared_server.http("GET", "/api/sessions?search=Load test&is_active=true").body["meta"]["total"]
    assert open_ == 0


@pytest.mark.once
@pytest.mark.processes
def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "loadtest", "--url", f"http://127.0.0.1:{free_port()}", "--seconds", "1"]
    done = subprocess.run(
        command, cwd=ROOT, env=clean_environment(VAR_DIR=str(tmp_path)), capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.startswith("Refused: No answer from http://127.0.0.1:")
    assert done.stderr.count("\n") == 1
