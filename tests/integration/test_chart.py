"""``deploy/chart``: rendered by helm for three sets of values, and every object valid to the letter."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.cli.news import STAGE_NAMES
from monitor.pipeline import ARTICLES
from tests.support.go_tools import go_tool
from tests.support.kubernetes_schemas import VERSION, schemas
from tests.support.program import find

# helm is built from source where nobody did before: minutes, more than a change can wait for.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

CHART = Path(__file__).parents[2] / "deploy/chart"
SETS = tuple(sorted((CHART / "ci").glob("*.yaml")))
Manifest = dict[str, Any]


@cache
def rendered(path: Path, *options: str) -> str:
    done = helm("template", "desk", CHART, "--namespace", "risk", "--values", path, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def helm(command: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    # A helm that `go install` made takes the cluster for an old one where nobody says.
    whole = [go_tool("helm"), command, *map(str, arguments), f"--kube-version={VERSION}"]
    return subprocess.run(whole, capture_output=True, text=True)


def objects(path: Path, kind: str) -> dict[str, Manifest]:
    found = [each for each in yaml.safe_load_all(rendered(path)) if each]
    return {each["metadata"]["name"]: each for each in found if each["kind"] == kind}


def pods(path: Path) -> dict[str, Manifest]:
    """The pod templates of a rendered chart, by the name of what makes them."""
    makers = {**objects(path, "Deployment"), **objects(path, "Job")}
    return {name: made["spec"]["template"]["spec"] for name, made in makers.items()}


def test_there_are_three_sets() -> None:
    assert [path.stem for path in SETS] == ["gpu", "minimal", "production"]


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_helm_has_nothing_to_say_against_it(path: Path) -> None:
    done = helm("lint", CHART, "--strict", "--values", path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_every_object_is_valid(path: Path) -> None:
    done = kubeconform(rendered(path))
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout)["summary"]
    assert told["valid"] >= 8
    assert told["invalid"] + told["errors"] + told["skipped"] == 0


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("replicas: 2", "replica: 2"), ("lagThreshold:", "lagTreshold:\n        x: [")],
    ids=["a key that is not one", "not YAML"],
)
def test_what_is_wrong_is_found(right: str, wrong: str) -> None:
    text = rendered(CHART / "ci/production.yaml")
    assert right in text
    assert kubeconform(text.replace(right, wrong)).returncode != 0


def test_a_custom_resource_with_a_key_that_is_not_one_is_found() -> None:
    text = rendered(CHART / "ci/production.yaml").replace("minReplicaCount", "leastReplicas")
    assert "leastReplicas" in kubeconform(text).stdout


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_pods_are_restricted(path: Path) -> None:
    """What the Pod Security Standard "restricted" asks for, a root that is read only, and no token."""
    for name, pod in pods(path).items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", name
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert container["resources"]["limits"]["memory"], name
        written = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {"/data", "/tmp"} <= written, name


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_secrets_are_named_and_not_held(path: Path) -> None:
    assert objects(path, "Secret") == {}
    for name, pod in pods(path).items():
        for each in pod["containers"][0]["env"]:
            if "PASSWORD" in each["name"]:
                assert each["value"].startswith("file:/run/secrets/"), name


def test_a_password_in_the_url_is_refused() -> None:
    done = helm(
        *("template", "desk", CHART, "--values", CHART / "ci/gpu.yaml"),
        *("--set", "store.url=postgresql://foreshock:hunter2@db/foreshock"),
    )
    assert done.returncode != 0
    assert "store.existingSecret" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_value_that_is_not_one_is_refused() -> None:
    values = ("--values", CHART / "ci/minimal.yaml", "--set", "kafka.bootstrapServer=x")
    done = helm("template", "desk", CHART, *values)
    assert done.returncode != 0
    assert "bootstrapServer" in done.stderr


def test_every_stage_runs_and_survives_a_drain() -> None:
    path = CHART / "ci/production.yaml"
    deployments, budgets = objects(path, "Deployment"), objects(path, "PodDisruptionBudget")
    args = [
        each["spec"]["template"]["spec"]["containers"][0]["args"] for each in deployments.values()
    ]
    assert {stage for each in args for stage in each[-1].split(",")} == {*STAGE_NAMES, "web"}
    assert set(budgets) == set(deployments)


def test_classifiers_follow_the_lag_of_their_group() -> None:
    path = CHART / "ci/production.yaml"
    (scaled,) = objects(path, "ScaledObject").values()
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["metadata"]["topic"] == f"prod-{ARTICLES}"
    assert trigger["metadata"]["consumerGroup"] == "prod-classify"
    target = objects(path, "Deployment")[scaled["spec"]["scaleTargetRef"]["name"]]
    assert "replicas" not in target["spec"]  # it is KEDA's to say


def test_classifiers_on_gpus_go_to_gpu_nodes() -> None:
    pod = pods(CHART / "ci/gpu.yaml")["desk-classify"]
    assert pod["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod["containers"][0]["image"].endswith("-cuda")


def test_migrations_come_before_everything() -> None:
    (job,) = objects(CHART / "ci/production.yaml", "Job").values()
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["db", "migrate"]


def test_probes_ask_ports_that_are_open() -> None:
    for path in SETS:
        for deployment in objects(path, "Deployment").values():
            (container,) = deployment["spec"]["template"]["spec"]["containers"]
            names = {port["name"] for port in container["ports"]}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                assert container[probe]["httpGet"]["port"] in names


def test_the_rules_are_those_that_prometheus_checks(tmp_path: Path) -> None:
    promtool = find("prometheus", "promtool")
    found = objects(CHART / "ci/production.yaml", "PrometheusRule")
    assert set(found) == {"desk-alerts", "desk-indicators"}
    for name, rule in found.items():
        path = tmp_path / f"{name}.yml"
        path.write_text(yaml.safe_dump(rule["spec"]))
        done = subprocess.run([promtool, "check", "rules", path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def kubeconform(text: str) -> subprocess.CompletedProcess[str]:
    location = f"{schemas()}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [go_tool("kubeconform"), "-strict", "-summary", "-output", "json"]
    return subprocess.run(
        [*command, "-schema-location", location, "-"], input=text, capture_output=True, text=True
    )
