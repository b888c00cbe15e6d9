"""Tests of `manage.py serve`: real processes, refusals in one line, a clean end."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from seance_project import healthcheck
from seance_project.env import load
from seance_project.management.commands.serve import refuse_options
from seance_project.server import CannotListen, listen_on
from tests.project.helpers import PRODUCTION, environment, free_port, manage, serving, stop

pytestmark = pytest.mark.processes
REDIS = {"REDIS_URL": "redis://127.0.0.1:1/0"}


def refusal(done: object) -> str:
    """The one line on standard error of a command that failed."""
    returncode, stdout, stderr = (getattr(done, name) for name in ("returncode", "stdout", "stderr"))
    assert returncode == 1, stderr
    assert stdout == ""
    assert stderr.count("\n") == 1
    return str(stderr)


def request(port: int, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def open_session(port: int, body: list[bytes]) -> Any:
    """What a server answers to a body that comes in pieces."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/api/sessions", iter(body), {"Content-Type": "application/json"})
    told = json.loads(connection.getresponse().read())
    connection.close()
    return told


def test_it_serves_refuses_a_second_one_and_ends_well(served_var: Path) -> None:
    env, port = environment(served_var), free_port()

    with serving(env=env, port=port) as process:
        static = request(port, "/static/admin/css/base.css")
        unknown = request(port, "/no/such/path", **{"X-Request-ID": "abc.1"})
        in_pieces = open_session(port, [b'{"name": ', b'"Tea"}'])
        second = manage("serve", "--port", str(free_port()), env=env)
        reloading = manage("runserver", "--noreload", str(free_port()), env=env)
        code, out, err = stop(process)

    assert static.status == 200
    assert static.headers["X-Content-Type-Options"] == "nosniff"
    assert static.headers["Cache-Control"] == "max-age=0, public", "its name has no hash"
    assert unknown.status == 404
    assert unknown.headers["X-Request-ID"] == "abc.1"
    assert "server" not in unknown.headers
    assert in_pieces["data"]["name"] == "Tea", "a body of unannounced length is a body"
    for other in (second, reloading):
        assert other.returncode != 0
        assert f"(pid {process.pid}) already serves this database" in other.stderr
        assert "Traceback" not in other.stderr
    assert code == 0
    assert "Traceback" not in err
    assert out.splitlines()[-1] == f"Séance listens on http://127.0.0.1:{port}/ (Ctrl+C stops it)"
    for url in (f"http://127.0.0.1:{port}/docs", f"ws://127.0.0.1:{port}/ws/{{session_id}}", "/admin/", "/health"):
        assert url in out


def test_ctrl_c_ends_production_well_and_its_log_is_json(served_var: Path) -> None:
    env, port = environment(served_var, **PRODUCTION), free_port()

    with serving(env=env, port=port) as process:
        request(port, "/no/such/path", Host="localhost", **{"X-Request-ID": "abc.2"})
        code, out, err = stop(process, signal.SIGINT)

    events = [json.loads(line) for line in err.splitlines()]
    assert code == 0
    assert out == ""
    assert f"http://127.0.0.1:{port}" in [event.get("url") for event in events if event["event"] == "listening"]
    lines = [(event["status"], event["request_id"]) for event in events if event["event"] == "request"]
    assert lines == [(404, "abc.2")]


def test_a_killed_server_leaves_no_lock_behind(served_var: Path) -> None:
    env, port = environment(served_var), free_port()

    with serving(env=env, port=port) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with serving(env=env, port=port) as process:
        assert stop(process)[0] == 0


def test_a_taken_port_is_one_line(served_var: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = manage("serve", "--port", str(port), env=environment(served_var))

    assert refusal(done) == f"CommandError: PORT: {port} is taken on 127.0.0.1; choose another with --port.\n"


def test_an_unknown_host_is_one_line(served_var: Path) -> None:
    done = manage("serve", "--host", "no.such.host.invalid", env=environment(served_var))

    assert refusal(done) == "CommandError: HOST: 'no.such.host.invalid' is no address or name of this machine.\n"


def test_the_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    settings = load({"VAR_DIR": str(tmp_path)}, env_file=Path(os.devnull))

    with pytest.raises(CannotListen, match=r"^HOST: '192.0.2.1' is no address of this machine\.$"):
        listen_on("192.0.2.1", 0, env=settings)


@pytest.mark.parametrize(
    ("port", "count", "variables", "named"),
    [
        (65_536, 1, {}, "--port"),
        (-1, 1, {}, "--port"),
        (8000, 0, {}, "--workers"),
        (8000, 65, {}, "--workers"),
        (8000, 2, {}, "REDIS_URL"),
        (8000, 2, REDIS, "DATABASE_URL"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    port: int, count: int, variables: dict[str, str], named: str, tmp_path: Path
) -> None:
    settings = load({"VAR_DIR": str(tmp_path)} | variables, env_file=Path(os.devnull))

    with pytest.raises(CommandError, match=f"^{named}[: ]"):
        refuse_options(settings, port=port, count=count)


def test_several_workers_with_redis_and_postgresql_are_not_refused(tmp_path: Path) -> None:
    variables = REDIS | {"VAR_DIR": str(tmp_path), "DATABASE_URL": "postgresql://host/name"}

    refuse_options(load(variables, env_file=Path(os.devnull)), port=0, count=2)


def test_a_database_without_tables_is_one_line(tmp_path: Path) -> None:
    done = manage("serve", env=environment(tmp_path))

    assert "migrations: run `python manage.py migrate` first." in refusal(done)


def test_runserver_is_not_for_production(served_var: Path) -> None:
    done = manage("runserver", env=environment(served_var, **PRODUCTION))

    assert "in production use `python manage.py serve`" in refusal(done)


def test_the_container_asks_by_a_name_that_the_server_answers_to(served_var: Path) -> None:
    port = free_port()
    variables = PRODUCTION | {"ALLOWED_HOSTS": ".seance.example", "PORT": str(port), "HOST": "0.0.0.0"}  # noqa: S104
    settings = load(environment(served_var, **variables), env_file=Path(os.devnull))

    dead = healthcheck.alive(settings)
    with serving("--host", "127.0.0.1", env=environment(served_var, **variables), port=port) as process:
        begun = time.monotonic()
        status = request(port, "/health/live", Host="seance.example").status
        alive = healthcheck.alive(settings)
        assert time.monotonic() - begun < 5
        assert stop(process)[0] == 0

    assert dead is False
    assert alive is (status == 200)
    assert status != 400
