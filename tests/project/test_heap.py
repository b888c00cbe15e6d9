"""Tests of seance_project/server: all threads of a server take memory from one heap."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.helpers import ROOT, environment

COUNT = """
import ctypes, threading
from seance_project.server import share_heap
share_heap()
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
together = threading.Barrier(4)
def take():
    together.wait()
    for _ in range(1000):
        libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=take) for _ in range(4)]
[one.start() for one in threads]
[one.join() for one in threads]
libc.fdopen.restype = ctypes.c_void_p
stream = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stream)
libc.fflush(stream)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has a heap for each thread")
@pytest.mark.parametrize(("said", "is_one"), [({}, True), ({"MALLOC_ARENA_MAX": "4"}, False)])
def test_threads_share_a_heap_unless_the_environment_says_otherwise(
    tmp_path: Path, said: dict[str, str], is_one: bool
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", COUNT],
        cwd=ROOT,
        env=environment(tmp_path, **said),
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert (told.count("<heap nr=") == 1) is is_one
