"""Tests of seance_project: shared fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.services import Databases


@pytest.fixture(scope="session")
def served_var(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Path:
    """A VAR_DIR with a migrated SQLite database, made once."""
    var = tmp_path_factory.mktemp("var")
    databases.sqlite(var)
    return var
