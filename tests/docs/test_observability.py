"""Tests of deploy/observability: what it asks for is measured, what rings has its page, and rings when it should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from realtime import metrics, traffic
from realtime.asyncapi_words import CLOSE_CODES
from sessions_app.spirits.base import Degraded
from tests.docs.pages import OPERATIONS, ROOT, blocks, section, slugs

FOLDER = ROOT / "deploy" / "observability"
RULES = FOLDER / "alerts.yml"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
}
OURS = [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}
LABELS = {f"{one._name}{suffix}": set(one._labelnames) for one in OURS for suffix in SUFFIXES[str(one._type)]}
OF_PROMETHEUS = {"instance", "job"}
# What a label's value can be, where a rule or a panel names one.
VALUES = {
    "status": {f"{kind}xx" for kind in range(1, 6)},
    "code": {str(code) for code in CLOSE_CODES},
    "degraded": {*get_args(Degraded), "none"},
    "by": set(re.findall(r'by="(\w+)"', (ROOT / "realtime" / "connections.py").read_text(encoding="utf-8"))),
    "end": set(re.findall(r'TURNS\.labels\("(\w+)"\)', (ROOT / "realtime" / "turns.py").read_text(encoding="utf-8"))),
}


def expressions() -> Iterator[tuple[str, str]]:
    yield from ((name, rule["expr"]) for name, rule in ALERTS.items())
    for panel in DASHBOARD["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel.get("targets", []))


@pytest.mark.parametrize(("name", "expression"), list(expressions()))
def test_an_expression_names_what_is_measured(name: str, expression: str) -> None:
    named = set(re.findall(r"\bseance_\w+", expression))
    labels = {label for one in named for label in LABELS.get(one, set())} | OF_PROMETHEUS
    grouped = {word for found in re.findall(r"by \(([^)]*)\)", expression) for word in re.findall(r"\w+", found)}

    assert named <= set(LABELS)
    assert named or expression.startswith("up{")
    assert grouped - {"le"} <= labels
    for label, value in re.findall(r'(\w+)=?[=!~]+"([^"]*)"', expression):
        assert label in labels
        assert label in OF_PROMETHEUS or set(value.split("|")) <= VALUES[label]
    if "histogram_quantile" in expression:
        assert "le" in grouped
        assert all(one.endswith("_bucket") for one in named)


def test_every_metric_is_on_the_dashboard() -> None:
    shown = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", []))

    assert {one._name for one in OURS if one._name not in shown} == set()
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_alert_has_its_section_and_no_other() -> None:
    headings = re.findall(r"^### (.+)$", section(OPERATIONS, "## Alerts"), re.MULTILINE)

    assert headings == list(ALERTS)
    for name, rule in ALERTS.items():
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert ROOT / page == OPERATIONS
        assert anchor in slugs(OPERATIONS)
        assert anchor == name.lower()
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]


def test_what_the_page_says_to_prometheus_is_understood() -> None:
    configured = [yaml.safe_load(block.text) for block in blocks(OPERATIONS) if block.language == "yaml"]

    assert [one["rule_files"] for one in configured] == [[RULES.name]]
    assert {job["job_name"] for one in configured for job in one["scrape_configs"]} == {"seance"}
    assert 'up{job="seance"}' in ALERTS["SeanceDown"]["expr"]


def test_labels_are_few_whatever_is_asked_for() -> None:
    paths = ["/", "/api/sessions/x/y", "/api/nothing", "/wp-login.php", f"/api/sessions/{'z' * 99}/history"]

    routes = {traffic.route_of(path) for path in paths}

    assert routes == {"other", "history"}


# --- Do they ring? ----------------------------------------------------------------------------------------------------


def histogram(name: str, seconds: float, labels: str = "") -> list[tuple[str, str]]:
    """Sixty observations a minute, all just below this bound."""
    bounds = ("0.005", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "10", "+Inf")
    return [
        (
            f'{name}_bucket{{le="{bound}"{labels}}}',
            "0+60x60" if bound == "+Inf" or float(bound) >= seconds else "0+0x60",
        )
        for bound in bounds
    ]


def counters(name: str, label: str, **a_minute: int) -> list[tuple[str, str]]:
    """Counters that grow by so much a minute; a value of the label is given behind an underscore."""
    return [(f'{name}{{{label}="{value[1:]}"}}', f"0+{count}x60") for value, count in a_minute.items()]


HERE = ', instance="a"'
REQUESTS, CLOSES = ("seance_http_requests_total", "status"), ("seance_socket_closes_total", "code")
TURNS, ANSWERS = ("seance_turns_total", "end"), ("seance_spirit_answers_total", "degraded")
FIRST_MOVE, WAIT, LAG = "seance_spirit_first_move_seconds", "seance_database_wait_seconds", "seance_loop_lag_seconds"
# For each alert what makes it ring within an hour, and what is next to it and does not.
RINGS: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]]]] = {
    "SeanceDown": ([('up{job="seance", instance="a"}', "0x60")], [('up{job="seance", instance="a"}', "1x60")]),
    "SeanceHttpErrors": (counters(*REQUESTS, _2xx=600, _5xx=60), counters(*REQUESTS, _2xx=600, _5xx=10)),
    "SeanceAcksSlow": (histogram("seance_ack_seconds", 1), histogram("seance_ack_seconds", 0.25)),
    "SeanceLoopLags": (histogram(LAG, 0.25, HERE), histogram(LAG, 0.05, HERE)),
    "SeanceDatabaseWaits": (histogram(WAIT, 0.1, HERE), histogram(WAIT, 0.005, HERE)),
    "SeanceSocketsCrash": (counters(*CLOSES, _4000=5), counters(*CLOSES, _1001=500)),
    "SeanceReadersSlow": (counters(*CLOSES, _4002=60, _1000=60), counters(*CLOSES, _4002=60, _1000=900)),
    "SeanceNewsLost": (
        [("seance_publish_failures_total", "0+3x60")],
        counters("seance_gaps_repaired_total", "by", _hole=60, _poll=6),
    ),
    "SeanceTurnsFail": (counters(*TURNS, _failed=1, _answered=9), counters(*TURNS, _failed=1, _answered=99)),
    "SeanceSpiritDegraded": (counters(*ANSWERS, _timeout=5, _none=5), counters(*ANSWERS, _filtered=5, _none=5)),
    "SeanceSpiritSlow": (histogram(FIRST_MOVE, 10), histogram(FIRST_MOVE, 1)),
    "SeanceWebhooksLate": ([("seance_webhook_lag_seconds", "900x60")], [("seance_webhook_lag_seconds", "60x60")]),
}


def test_every_alert_rings_when_it_should_and_only_then(tmp_path: Path) -> None:
    """By Prometheus's own evaluation, where its promtool is installed (Debian: prometheus)."""
    assert set(RINGS) == set(ALERTS)
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    cases = []
    for name, states in RINGS.items():
        for is_loud, series in zip((True, False), states, strict=True):
            case = {
                "interval": "1m",
                "name": f"{name} {'rings' if is_loud else 'does not ring'}",
                "input_series": [{"series": one, "values": values} for one, values in series],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}})',
                        "eval_time": "50m",
                        "exp_samples": [{"labels": "{}", "value": 1}] if is_loud else [],
                    }
                ],
            }
            cases.append(case)
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": cases}))

    checked = subprocess.run([promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    tried = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert tried.returncode == 0, tried.stdout + tried.stderr
