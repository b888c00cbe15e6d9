"""Tests of the REST door: requests that schemathesis makes up from the OpenAPI document, `made_up.py`.

They have a process of their own: making them up while tests are collected would cost each process of a round as much
as running them.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.harness.processes import ROOT


@pytest.mark.long
@pytest.mark.processes
def test_every_answer_to_a_request_that_was_made_up_is_in_the_document() -> None:
    command = [sys.executable, "-m", "pytest", "tests/api/made_up.py", "-p", "schemathesis.pytest.plugin"]
    command += ["-p", "no:cacheprovider", "-q"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    env["TOX_PARALLEL_ENV"] = "made-up"  # pytest-django's way to a database of its own

    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert " passed" in done.stdout
