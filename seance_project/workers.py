"""seance_project: several server processes on one port, kept alive and stopped together."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import structlog
from prometheus_client.multiprocess import mark_process_dead

log = structlog.get_logger("seance.workers")

WORKER_INDEX = "SEANCE_WORKER_INDEX"  # 0, 1, … in the environment of each worker; unset where there is only one process
METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client, when it is imported
QUICK_DEATH = 5.0  # seconds; a worker that fails within them would fail again, unlike one that somebody killed
RESTART_PAUSE = 1.0


def worker_index() -> int | None:
    """Which of several workers this process is, or None where it is the only one."""
    value = os.environ.get(WORKER_INDEX, "")
    return int(value) if value.isdigit() else None


def follow_supervisor() -> None:
    """Stop this worker when its supervisor is gone, however that ended: nobody else would ever stop it."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)  # not through the buffer, whose lock this thread would hold at exit
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="follow-supervisor", daemon=True).start()


class Supervisor:
    """Starts `count` copies of a command. A worker that dies is replaced; one that gives up at once ends them all.

    What the workers count goes into files of `counts`, so that each of them can tell of all; it is emptied first.
    """

    def __init__(self, command: Sequence[str], count: int, counts: Path | None = None) -> None:
        self.command = list(command)
        self.count = count
        self.counts = counts
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self.born: dict[int, float] = {}
        self.stopping = False

    def run(self) -> int:
        """Until SIGTERM or SIGINT; 0 where every worker then ended well."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        if self.counts is not None:
            shutil.rmtree(self.counts, ignore_errors=True)
            self.counts.mkdir(mode=0o700, parents=True)
        for index in range(self.count):
            self._start(index)
        while not self.stopping:
            time.sleep(0.1)
            for index, worker in list(self.running.items()):
                if worker.poll() is None or self.stopping:
                    continue
                lived = time.monotonic() - self.born[index]
                log.error("worker_died", worker=index, exit_code=worker.returncode, lived_seconds=round(lived, 1))
                if self.counts is not None:  # its gauges go, its counters stay
                    mark_process_dead(worker.pid, str(self.counts))  # type: ignore[no-untyped-call]
                if worker.returncode > 0 and lived < QUICK_DEATH:
                    self._end_all()
                    return worker.returncode
                time.sleep(RESTART_PAUSE)
                if not self.stopping:
                    self._start(index)
        return self._end_all()

    def _start(self, index: int) -> None:
        environment = os.environ | {WORKER_INDEX: str(index)}
        if self.counts is not None:
            environment[METRICS_DIR] = str(self.counts)
        # The pipe carries nothing: it ends when the supervisor does, see follow_supervisor().
        self.running[index] = subprocess.Popen(self.command, env=environment, stdin=subprocess.PIPE)  # noqa: S603
        self.born[index] = time.monotonic()

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _end_all(self) -> int:
        for worker in self.running.values():
            if worker.poll() is None:
                worker.terminate()
        codes = [worker.wait() for worker in self.running.values()]
        return 0 if not any(codes) else 1


def command_for(host: str, port: int) -> list[str]:
    """The command of one worker: the same `serve`, which finds its index in the environment."""
    return [sys.executable, sys.argv[0], "serve", "--host", host, "--port", str(port), "--workers", "1"]
