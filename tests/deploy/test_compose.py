"""Tests of compose.yaml: its shape, its variables, and that it fits the image, nginx and the server."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from seance_project import server
from seance_project.env import Env, load
from tests.deploy.compose import FILE, NEEDED, VARIABLE, Missing, filled
from tests.deploy.nginx import SHIPPED

pytestmark = pytest.mark.once
WEB = ("web-1", "web-2")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = filled()["services"]
    return found


@pytest.mark.parametrize("name", NEEDED)
def test_what_has_no_safe_default_must_be_set(name: str) -> None:
    with pytest.raises(Missing, match=f"^{name}$"):
        filled(NEEDED | {name: ""})


def test_every_other_variable_has_a_default_that_the_server_takes(services: dict[str, Any], tmp_path: Path) -> None:
    variables = {found["name"]: found["how"] for found in VARIABLE.finditer(FILE.read_text())}

    assert {name for name, how in variables.items() if how == ":?"} == set(NEEDED)
    for name in (*WEB, "prepare"):
        given = services[name]["environment"]
        assert {key.lower() for key in given} <= set(Env.__struct_fields__)
        settings = load({"VAR_DIR": str(tmp_path), "ENVIRONMENT": "production", **given}, env_file=Path(os.devnull))
        assert settings.trusted_proxy_count == 1


def test_a_web_process_may_drain_to_its_end_before_it_is_killed(services: dict[str, Any]) -> None:
    longest = Env().drain_seconds + server.DRAIN_MARGIN + server.CLOSE_SECONDS
    (nginx_waits,) = re.findall(r"worker_shutdown_timeout (\d+)s;", (SHIPPED / "nginx.conf").read_text())

    for name in WEB:
        assert int(services[name]["stop_grace_period"].removesuffix("s")) > longest
    assert int(services["nginx"]["stop_grace_period"].removesuffix("s")) > int(nginx_waits)


def test_nginx_knows_the_web_processes_by_names_whose_addresses_stay(services: dict[str, Any]) -> None:
    named = re.findall(r"server (\S+):8000 ", (SHIPPED / "site" / "upstream.conf").read_text())

    assert named == [*WEB, *WEB], "for requests, and for what lasts"
    assert [services[name]["hostname"] for name in WEB] == list(WEB)
    addresses = [services[name]["networks"]["inside"]["ipv4_address"] for name in WEB]
    assert len(set(addresses)) == len(WEB)


def test_only_nginx_can_be_reached_from_outside(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["nginx"]
    assert all("networks" in service for service in services.values())


def test_our_containers_can_write_to_no_more_than_they_need(services: dict[str, Any]) -> None:
    for name in (*WEB, "prepare"):
        service = services[name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_nothing_serves_before_it_is_prepared(services: dict[str, Any]) -> None:
    for name in WEB:
        assert services[name]["depends_on"]["prepare"] == {"condition": "service_completed_successfully"}
        assert services["nginx"]["depends_on"][name] == {"condition": "service_healthy"}
