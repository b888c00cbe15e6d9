"""Tests of deployment: an overlay of deploy/kubernetes as `kubectl kustomize` renders it; needs no cluster."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.harness.processes import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.parent.name for path in FOLDER.glob("overlays/*/kustomization.yaml"))
Object = dict[str, Any]


def rendered(overlay: str) -> list[Object]:
    """All objects; without kubectl, which Debian has only in a version too old, the test is skipped."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    command = ["kubectl", "kustomize", str(FOLDER / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "a warning"
    return [found for found in yaml.safe_load_all(done.stdout) if found]


class Cluster:
    """The objects of an overlay, by kind and name."""

    def __init__(self, overlay: str) -> None:
        self.objects = rendered(overlay)

    def kinds(self) -> list[str]:
        return [found["kind"] for found in self.objects]

    def get(self, kind: str, name: str) -> Object:
        (found,) = [one for one in self.objects if (one["kind"], one["metadata"]["name"]) == (kind, name)]
        return found

    def pod(self, kind: str, name: str) -> Object:
        """The pod that a Deployment or Job makes."""
        template: Object = self.get(kind, name)["spec"]["template"]
        return template

    @property
    def web(self) -> Object:
        """The container of the web processes."""
        container: Object = self.pod("Deployment", "seance-web")["spec"]["containers"][0]
        return container
