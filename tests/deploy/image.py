"""Tests of deployment: what a Dockerfile says, done without Docker.

Each stage is a root directory of its own: this machine's, read-only, with a layer on top that is thrown away (overlayfs
in a mount namespace). Instructions run in it as they stand; the base image is this machine, which must be a Debian with
Python 3.11. What may be copied is what `.dockerignore` lets through.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.harness.processes import ROOT


class Instruction(NamedTuple):
    """One of a Dockerfile: `COPY --from=packages /venv /venv` is COPY, {"from": "packages"}, "/venv /venv"."""

    name: str
    flags: dict[str, str]
    rest: str


def parse(text: str) -> Iterator[Instruction]:
    """The instructions, without comments, with continued lines in one."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, rest = line.split(None, 1)
        flags = dict[str, str]()
        while found := re.match(r"--([a-z-]+)=(\S+)\s+", rest):
            flags[found[1]] = found[2]
            rest = rest[found.end() :]
        yield Instruction(name, flags, rest)


def context(to: Path) -> None:
    """Copy what `.dockerignore` lets through."""
    shut, opened = list[str](), list[str]()
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            (opened if line.startswith("!") else shut).append(line.lstrip("!").removeprefix("**/"))
    assert "*" in shut, "everything that is not named stays out"
    for name in opened:
        if (ROOT / name).is_dir():
            ignored = [pattern for pattern in shut if pattern != "*"]
            shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns(*ignored))
        elif not any(fnmatch.fnmatch(name, pattern) for pattern in shut if pattern != "*"):
            shutil.copy(ROOT / name, to / name)


class Stage:
    """A root directory, and what ENV, WORKDIR, USER and so on have said of it."""

    def __init__(self, holder: int, folder: str) -> None:
        self.enter = ["nsenter", "--mount", "--target", str(holder)]
        self.root, upper, work = f"{folder}/root", f"{folder}/upper", f"{folder}/work"
        self.outside(f"mkdir -p {self.root} {upper} {work}")
        self.outside(f"mount -t overlay overlay -o lowerdir=/,upperdir={upper},workdir={work} {self.root}")
        self.outside(f"mount --bind /dev {self.root}/dev; mount -t tmpfs -o mode=1777 tmpfs {self.root}/tmp")  # noqa: S108
        # The base image has its Python in /usr/local, where everybody may read it.
        python = f"{self.root}/usr/local/bin/python"
        if sys.base_prefix == "/usr":
            self.outside(f"[ -e {python} ] || ln -s /usr/bin/python3 {python}")
        else:
            self.outside(f"mount --bind {sys.base_prefix} {self.root}/usr/local; chroot {self.root} ldconfig")
        self.env = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"}
        self.workdir, self.user, self.said = "/", "0", dict[str, Instruction]()

    def outside(self, script: str) -> None:
        """Run in the namespace, but not in the root."""
        done = subprocess.run([*self.enter, "sh", "-ec", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def command(self, argv: Sequence[str], env: Mapping[str, str] | None = None, wrap: Sequence[str] = ()) -> list[str]:
        """The command line that runs `argv` in the root, as the user and in the directory that were said."""
        variables = [f"{name}={value}" for name, value in (self.env | dict(env or {})).items()]
        chroot = ["chroot", f"--userspec={self.user}:{self.user}", self.root]
        inside = ["env", "-i", f"--chdir={self.workdir}", *variables, *argv]
        return [*self.enter, *wrap, *chroot, *inside]

    def run(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run something to its end."""
        return subprocess.run(self.command(argv, env), capture_output=True, text=True, check=False, timeout=300)


class Image:
    """A Dockerfile, built. `last` is its last stage, `instructions` those of it; close it at the end."""

    def __init__(self, work: Path, dockerfile: Path = ROOT / "Dockerfile") -> None:
        require_namespaces()
        (work / "context").mkdir()
        context(work / "context")
        self.context = work / "context"
        layers = work / "layers"
        layers.mkdir()
        # Whatever is mounted in the namespace goes when this process does.
        held = f"mount -t tmpfs tmpfs {layers}; echo ready; exec sleep infinity"
        self._holder = subprocess.Popen(["unshare", "--mount", "sh", "-ec", held], stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        self.stages = dict[str, Stage]()
        for instruction in parse(dockerfile.read_text()):
            self._do(instruction, str(layers))

    @property
    def last(self) -> Stage:
        return list(self.stages.values())[-1]

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()

    def _do(self, instruction: Instruction, layers: str) -> None:
        name, flags, rest = instruction
        if name == "FROM":
            base, _, alias = rest.partition(" AS ")
            assert re.fullmatch(r"python:3\.11-slim", base), "this machine stands for it"
            self.stages[alias or "last"] = Stage(self._holder.pid, f"{layers}/{alias or 'last'}")
            return
        stage = self.last
        stage.said[name] = instruction
        if name == "ENV":
            for word in shlex.split(rest):
                key, _, value = word.partition("=")
                stage.env[key] = re.sub(r"\$(\w+)", lambda found: stage.env[found[1]], value)
        elif name == "WORKDIR":
            stage.workdir = rest
            stage.outside(f"mkdir -p {stage.root}{rest}")
        elif name == "USER":
            stage.user = rest
        elif name == "COPY":
            self._copy(stage, flags, *rest.split())
        elif name == "RUN":
            done = stage.run(["/bin/sh", "-c", rest], network())
            assert done.returncode == 0, f"{rest}\n{done.stdout}{done.stderr}"
        else:
            assert name in {"CMD", "HEALTHCHECK", "EXPOSE", "VOLUME", "STOPSIGNAL"}, name

    def _copy(self, stage: Stage, flags: dict[str, str], source: str, target: str) -> None:
        """Of a directory its content, as Docker does."""
        came = f"{self.stages[flags['from']].root}{source}" if "from" in flags else f"{self.context}/{source}"
        to = f"{stage.root}{target if target.startswith('/') else f'{stage.workdir}/{target}'}"
        stage.outside(f"if [ -d {came} ]; then mkdir -p {to}; cp -a {came}/. {to}/; else cp -a {came} {to}; fi")


def argv(instruction: Instruction) -> list[str]:
    """The command of a CMD or HEALTHCHECK in exec form."""
    found: list[str] = json.loads(instruction.rest[instruction.rest.index("[") :])
    return found


def network() -> dict[str, str]:
    """What the way to the package index needs on this machine."""
    names = [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]
    return {"HOME": os.environ.get("HOME", "/root")} | {name: os.environ[name] for name in names}


def require_namespaces() -> None:
    """Skip where this user may not mount anything: that is no service that could be installed."""
    script = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/a /mnt/b /mnt/c && "
    script += "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/a,workdir=/mnt/b /mnt/c"
    tried = ["unshare", "--mount", "sh", "-c", script]
    if not shutil.which("unshare") or subprocess.run(tried, capture_output=True, check=False).returncode:
        pytest.skip("needs root and overlayfs")
