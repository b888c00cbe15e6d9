"""Are the generated files fresh? `--write` writes them anew. A new one is one row in GENERATED or CHECKS."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from seance_project import env_example  # noqa: E402

# Path from the root -> the text that it should hold.
GENERATED: dict[str, Callable[[], str]] = {
    ".env.example": env_example.render,
}


def stale_files() -> Iterator[str]:
    """What `make generate` would change."""
    for name, render in GENERATED.items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != render():
            yield f"{name} is out of date: run `make generate`"


def pins(name: str) -> dict[str, set[str]]:
    """Package -> the versions that a lock file pins, several where a marker tells them apart."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;\\]+)", (ROOT / name).read_text(), re.M):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


def stale_locks() -> Iterator[str]:
    """Where the lock files do not answer to pyproject.toml, or hold what they must not. Needs no network."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime = pins("requirements.txt")
    wanted = {
        "requirements.txt": project["dependencies"],
        "requirements-dev.txt": project["dependencies"] + project["optional-dependencies"]["dev"],
        "requirements-observability.txt": project["dependencies"] + project["optional-dependencies"]["observability"],
    }
    for name, requirements in wanted.items():
        locked, text = pins(name), (ROOT / name).read_text(encoding="utf-8")
        asked = [Requirement(requirement) for requirement in requirements]
        for requirement in asked:
            versions = locked.get(canonicalize_name(requirement.name), set())
            if not any(requirement.specifier.contains(version, prereleases=True) for version in versions):
                yield f"{name} has no version for {requirement}: run `make lock`"
        direct = {canonicalize_name(requirement.name) for requirement in asked}
        for package in sorted(set(directly_locked(text)) - direct):
            yield f"{name} has {package}, which pyproject.toml does not ask for: run `make lock`"
        if re.search(r"https?://|file:|--(extra-)?index-url|--find-links", text):
            yield f"{name} names where packages come from; that is for each machine to say"
        if unhashed := [block for block in re.findall(r"^[\w.-]+==.*\n(?!    --hash)", text, re.M)]:
            yield f"{name} has {len(unhashed)} packages without a hash: run `make lock`"
    for name in ("requirements-dev.txt", "requirements-observability.txt"):
        locked = pins(name)
        for package, versions in runtime.items():
            if locked.get(package) != versions:
                yield f"{name} has another {package} than requirements.txt: run `make lock`"


def directly_locked(text: str) -> Iterator[str]:
    """The packages that a lock file says the project itself asks for."""
    package = ""
    for line in text.splitlines():
        if found := re.match(r"^([\w.-]+)(?:\[[^]]*\])?==", line):
            package = canonicalize_name(found[1])
        elif "seance (pyproject.toml)" in line:
            yield package


def client_types(*arguments: str) -> Iterator[str]:
    """Where the TypeScript client's types do not answer to the two documents; written anew without `--check`.

    It needs Node and nothing installed. Where there is none, `make test-sdk` is what sees it.
    """
    node = shutil.which("node")
    if node is None:
        return
    command = [node, "clients/typescript/scripts/generate.mjs", *arguments]
    env = {"SEANCE_PYTHON": sys.executable, **os.environ}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        stale = re.findall(r"^src/generated/\S+", done.stderr, re.M)
        yield from (f"clients/typescript/{name} is out of date: run `make generate`" for name in stale)
        if not stale:
            yield f"the client's types could not be made: {done.stderr.strip()}"


def stale_types() -> Iterator[str]:
    """The client's types, without writing them."""
    yield from client_types("--check")


CHECKS: list[Callable[[], Iterator[str]]] = [stale_files, stale_locks, stale_types]


def main() -> int:
    """0 where everything is fresh; otherwise one line for each thing that is not."""
    if "--write" in sys.argv[1:]:
        for name, render in GENERATED.items():
            (ROOT / name).write_text(render(), encoding="utf-8")
            print(f"{name} written")
        problems = list(client_types())
        print("\n".join(problems) or "clients/typescript/src/generated written, where Node is there")
        return 1 if problems else 0
    problems = [problem for check in CHECKS for problem in check()]
    types = "the client's types" if shutil.which("node") else "but without Node nobody knows of the client's types"
    print("\n".join(problems) or f"Fresh: {', '.join(GENERATED)}, the lock files, {types}.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
