"""Tests of the whole: processes that a test starts, and the ways to hurt them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")


def clean_environment(**variables: str) -> dict[str, str]:
    """What a process of ours gets: none of this one's settings, and none of a developer's `.env`."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {"ENV_FILE": os.devnull, "PYTHONUTF8": "1", "SPIRIT_ALLOW_NETWORK": "false"} | variables


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], *, timeout: float, what: str, every: float = 0.02) -> None:
    """Until the condition holds; fails with `what` where it does not within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"after {timeout} s: {what}"
        time.sleep(every)


def manage(*arguments: str, env: Mapping[str, str], timeout: float = 60) -> str:
    """`python manage.py …`, run to its end; its standard output."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(env), capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Child:
    """A process of ours; what it says goes to `log`. It can be started again, with the same command."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        user: str | None = None,
        cwd: Path = ROOT,
        before: Callable[[], None] | None = None,
    ) -> None:
        self.command, self.env, self.log, self.cwd = list(command), dict(env), log, cwd
        self._user = user if os.geteuid() == 0 else None
        self._before = before
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        """Start it, without waiting for anything."""
        assert not self.alive, "it runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                preexec_fn=self._before,  # noqa: PLW1509  for limits; these tests have no threads at that moment
            )

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was never started"
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, timeout: float = 30) -> int:
        """Its exit code."""
        assert self._process is not None
        return self._process.wait(timeout)

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def terminate(self) -> None:
        """SIGTERM; does not wait."""
        self.send_signal(signal.SIGTERM)

    def kill9(self) -> None:
        """SIGKILL to it and to all that it started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)

    def freeze(self) -> None:
        """SIGSTOP."""
        self.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.send_signal(signal.SIGCONT)

    def said(self) -> str:
        """Everything that it wrote so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def resident_bytes(self) -> int:
        """Its resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def open_files(self) -> int:
        """How many file descriptors it holds."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self) -> float:
        """The processor time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
