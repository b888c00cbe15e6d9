"""Tests of seance_project: real processes in an environment of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
START_SECONDS = 20

KEY = "k3y-" + "0123456789abcdef" * 4
OTHER_KEY = "0th3r-" + "fedcba9876543210" * 4
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": KEY,
    "JWT_SECRET": OTHER_KEY,
    "ALLOWED_HOSTS": "127.0.0.1,localhost",
}


def environment(var_dir: Path, **variables: str) -> dict[str, str]:
    """What a process gets: nothing of this one's settings, and none of a developer's `.env`."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {"VAR_DIR": str(var_dir), "ENV_FILE": os.devnull, "PYTHONUTF8": "1"} | variables


def manage(*arguments: str, env: dict[str, str], timeout: float = 30) -> subprocess.CompletedProcess[str]:
    """`python manage.py …`, run to its end."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout, check=False)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[str]) -> None:
    """Until something accepts connections there; fails where the process ended before."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"ended with {process.returncode}: {process.communicate()}"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nothing listens")


@contextmanager
def serving(*arguments: str, env: dict[str, str], port: int) -> Iterator[subprocess.Popen[str]]:
    """`manage.py serve` that listens; killed at the end where the test did not stop it."""
    command = [sys.executable, "manage.py", "serve", "--port", str(port), *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        wait_for_port(port, process)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def stop(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
    """Its exit code and what it wrote, after being told to stop."""
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err
