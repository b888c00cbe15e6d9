"""Tests of seance_project: shared fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project.helpers import environment, manage


@pytest.fixture(scope="session")
def served_var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VAR_DIR with a migrated SQLite database, made once."""
    var = tmp_path_factory.mktemp("var")
    done = manage("migrate", "--noinput", "-v0", env=environment(var))
    assert done.returncode == 0, done.stderr
    return var
