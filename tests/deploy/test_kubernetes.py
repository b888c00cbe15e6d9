"""Tests of deploy/kubernetes: what only holds together where several files say the same."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.urls import get_resolver

from realtime import metrics
from realtime.routing import websocket_urlpatterns
from seance_project import server
from seance_project.env import Env, is_secret, load
from tests.deploy.compose import NEEDED
from tests.deploy.kubernetes import OVERLAYS, Cluster, Object
from tests.harness.processes import ROOT

pytestmark = pytest.mark.once
SECRETS = {
    "SECRET_KEY": NEEDED["SECRET_KEY"],
    "JWT_SECRET": NEEDED["JWT_SECRET"],
    "DATABASE_URL": "postgresql://seance:s3cret@postgres.example.org:5432/seance",
    "REDIS_URL": "rediss://:s3cret@redis.example.org:6379/0",
}
PODS = (("Deployment", "seance-web"), ("Job", "seance-prepare"))


@pytest.fixture(scope="module", params=OVERLAYS)
def cluster(request: pytest.FixtureRequest) -> Cluster:
    return Cluster(request.param)


@pytest.fixture
def settings(cluster: Cluster, tmp_path: Path) -> Env:
    """What a web process reads: the ConfigMap, the secret, and what the image sets."""
    given = cluster.get("ConfigMap", "seance")["data"]
    variables = {"ENVIRONMENT": "production", "VAR_DIR": str(tmp_path), **given, **SECRETS}
    assert {key.lower() for key in given} <= set(Env.__struct_fields__)
    return load(variables, env_file=Path(os.devnull))


def test_a_pod_is_killed_only_after_the_longest_drain(cluster: Cluster, settings: Env) -> None:
    pod = cluster.pod("Deployment", "seance-web")["spec"]
    program, seconds = cluster.web["lifecycle"]["preStop"]["exec"]["command"]

    longest = settings.drain_seconds + server.DRAIN_MARGIN + server.CLOSE_SECONDS
    assert program == "sleep"
    assert pod["terminationGracePeriodSeconds"] > int(seconds) + longest


def test_it_is_out_of_the_balancer_before_it_is_told_to_stop(cluster: Cluster) -> None:
    ready = cluster.web["readinessProbe"]

    assert int(cluster.web["lifecycle"]["preStop"]["exec"]["command"][1]) >= 5
    assert ready["periodSeconds"] * ready["failureThreshold"] <= 10


def test_each_probe_asks_what_it_is_for_under_a_name_that_the_server_answers_to(
    cluster: Cluster, settings: Env
) -> None:
    paths = {}
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = cluster.web[name]["httpGet"]
        paths[name] = asked["path"]
        assert {header["name"]: header["value"] for header in asked["httpHeaders"]}["Host"] in settings.allowed_hosts
        assert asked["port"] in [port["name"] for port in cluster.web["ports"]]

    # Liveness that asks for the database would end every process while that is away.
    assert paths == {
        "startupProbe": "/health/live",
        "livenessProbe": "/health/live",
        "readinessProbe": "/health/ready",
    }
    assert all(get_resolver().resolve(path) for path in paths.values())


def test_the_host_of_the_ingress_is_one_that_the_server_answers_to(cluster: Cluster, settings: Env) -> None:
    spec = cluster.get("Ingress", "seance")["spec"]

    hosts = {rule["host"] for rule in spec["rules"]}
    assert hosts == set(spec["tls"][0]["hosts"])
    assert hosts <= set(settings.allowed_hosts)
    assert settings.trusted_proxy_count == 1


def test_the_ingress_knows_every_path_but_metrics(cluster: Cluster) -> None:
    (rule,) = cluster.get("Ingress", "seance")["spec"]["rules"]
    opened = {path["path"].strip("/") for path in rule["http"]["paths"]}

    routes = [str(found.pattern) for found in get_resolver().url_patterns]
    routes += [str(found.pattern).lstrip("^") for found in websocket_urlpatterns]
    ours = {route.partition("/")[0] for route in routes} | {"static"}
    assert opened == ours - {"metrics"}


def test_waits_of_the_ingress_outlast_the_pings(cluster: Cluster, settings: Env) -> None:
    said = cluster.get("Ingress", "seance")["metadata"]["annotations"]

    for name in ("proxy-read-timeout", "proxy-send-timeout"):
        assert int(said[f"nginx.ingress.kubernetes.io/{name}"]) > 2 * settings.ping_seconds
    assert "non_idempotent" not in said["nginx.ingress.kubernetes.io/proxy-next-upstream"]
    assert not [name for name in said if "affinity" in name], "any process can serve any socket"
    assert "sessionAffinity" not in cluster.get("Service", "seance")["spec"]


def test_secrets_are_referred_to_and_not_there(cluster: Cluster) -> None:
    data = cluster.get("ConfigMap", "seance")["data"]

    assert "Secret" not in cluster.kinds()
    assert not {field.name.upper() for field in msgspec.structs.fields(Env) if is_secret(field)} & set(data)
    for pod in PODS:
        (container,) = cluster.pod(*pod)["spec"]["containers"]
        assert {"secretRef": {"name": "seance"}} in container["envFrom"]
        assert "env" not in container


def test_pods_run_as_the_user_of_the_image_and_can_write_where_it_can(cluster: Cluster) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for kind, name in PODS:
        pod = cluster.pod(kind, name)["spec"]
        (container,) = pod["containers"]
        assert f"\nUSER {pod['securityContext']['runAsUser']}\n" in dockerfile
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/app/var", "/tmp"}  # noqa: S108


def test_a_rollout_and_a_drained_node_leave_all_but_one_pod(cluster: Cluster) -> None:
    deployment = cluster.get("Deployment", "seance-web")["spec"]
    budget = cluster.get("PodDisruptionBudget", "seance-web")["spec"]
    scaling = [found["spec"] for found in cluster.objects if found["kind"] == "HorizontalPodAutoscaler"]

    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert budget["maxUnavailable"] == 1
    assert selects(budget["selector"], cluster.pod("Deployment", "seance-web"))
    assert min([deployment.get("replicas", 0), *(found["minReplicas"] for found in scaling)][-1:]) >= 2


def test_it_scales_by_a_metric_that_the_server_has(cluster: Cluster) -> None:
    for scaling in (found["spec"] for found in cluster.objects if found["kind"] == "HorizontalPodAutoscaler"):
        named = [metric["pods"]["metric"]["name"] for metric in scaling["metrics"] if metric["type"] == "Pods"]
        assert named == ["seance_sockets"]
        assert named[0] in {family.name for family in metrics.SOCKETS.collect()}
        assert "replicas" not in cluster.get("Deployment", "seance-web")["spec"], "the two would fight"
    assert ("HorizontalPodAutoscaler" in cluster.kinds()) or cluster.get("Deployment", "seance-web")["spec"]["replicas"]


def test_everything_that_selects_pods_selects_those_it_means(cluster: Cluster) -> None:
    web, prepare = (cluster.pod(*pod) for pod in PODS)

    service = {"matchLabels": cluster.get("Service", "seance")["spec"]["selector"]}
    assert (selects(service, web), selects(service, prepare)) == (True, False)
    only_web = cluster.get("NetworkPolicy", "seance-web")["spec"]["podSelector"]
    assert (selects(only_web, web), selects(only_web, prepare)) == (True, False)
    everything = cluster.get("NetworkPolicy", "seance")["spec"]["podSelector"]
    assert selects(everything, web)
    assert selects(everything, prepare)


def test_pods_reach_their_services_and_nothing_of_the_inside_by_https(cluster: Cluster, settings: Env) -> None:
    rules = cluster.get("NetworkPolicy", "seance")["spec"]["egress"]
    anywhere = {port["port"] for rule in rules if "to" not in rule for port in rule["ports"]}
    (outside,) = [rule for rule in rules if "to" in rule]

    assert anywhere == {53, 5432, 6432, 6379, 26379}
    assert {port["port"] for port in outside["ports"]} == {443, 465, 587}
    shut = [ip_network(network) for to in outside["to"] for network in to["ipBlock"]["except"]]
    for inside in ("10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "fd00::1", "fe80::1"):
        assert any(ip_network(inside).subnet_of(one) for one in shut if one.version == ip_network(inside).version)  # type: ignore[arg-type]


def selects(selector: dict[str, Any], template: Object) -> bool:
    """Whether a selector means the pods of a template."""
    labels = template["metadata"]["labels"]
    return bool(selector["matchLabels"]) and all(labels.get(k) == v for k, v in selector["matchLabels"].items())
