"""The rendered Helm chart: valid for Kubernetes, restricted profile, minimal network policies."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from hepar.serving.decode_worker import ADDRESS_SPACE_BYTES
from hepar.serving.decode_workers import WORKERS
from hepar.serving.upload_memory import UPLOADS_BYTES_MAX

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "hepar"
HELM = shutil.which("helm") or shutil.which(str(ROOT / "var" / "tools" / "helm"))
SERVICE_BYTES = 512 * 1024**2
"""What a model service takes besides its decode workers and uploads: it used 203 MB after `make bench`."""
MODEL_SERVICE_BYTES = WORKERS * ADDRESS_SPACE_BYTES + UPLOADS_BYTES_MAX + SERVICE_BYTES
VERSIONS = ("1.29", "1.33")
# Of KEDA and of the Prometheus operator: kubernetes-validate has no schemas for them.
HARDENING = (
    "--allow-http=false", "--allow-client-shm=false", "--allow-sagemaker=false", "--allow-vertex-ai=false",
    "--trace-config=level=off", "/dev/urandom", "--grpc-restricted-protocol=$apis:hepar-key=$key",
    "apis=shared-memory,model-repository,model-config,statistics,trace,logging",
)  # fmt: skip
FOREIGN = {"ScaledObject", "PodMonitor"}
KINDS_OF_VALUES = {
    "default": (),
    "pypi": ("triton.server=pypi",),
    "gpu": ("triton.gpu.enabled=true", "triton.keda.enabled=true", "monitoring.podMonitor=true"),
    "claim": (
        "models.claim=models",
        "tracing.endpoint=http://collector:4318",
        "image.registry=registry.example.org/hepar",
    ),
    "study": (
        "study.objectsUrl=s3://studies/hepar",
        "study.claim=",
        "study.credentials=s3",
        "study.cidr=192.0.2.30/32",
    ),
    "dicom": (
        "study.destinations.enabled=true",
        "study.destinations.cidr=192.0.2.40/32",
        "study.listener.enabled=true",
        "study.listener.peers={192.0.2.40/32,192.0.2.41/32}",
    ),
    "email": (
        "email.host=mail.example.org",
        "email.user=hepar",
        "email.sender=hepar@example.org",
        "email.cidr=192.0.2.25/32",
    ),
}
DOORS = {"gateway": 8080, "auth": 8101, "classify": 8102, "detect": 8103, "study": 8104, "triton": 8001}
MAY_REACH = {
    "gateway": {"auth", "classify", "detect", "study"}, "auth": set[str](), "classify": {"auth", "triton"},
    "detect": {"auth", "triton"}, "triton": set[str](), "migrate": set[str](), "study": {"auth"},
    "study-worker": {"auth", "classify", "detect"},
}  # fmt: skip
Document = dict[str, Any]

if HELM is None:
    sys.stderr.write("tests/deploy/test_chart.py is skipped: there is no helm (.ci/install-helm)\n")
pytestmark = pytest.mark.skipif(HELM is None, reason="there is no helm (.ci/install-helm)")


@cache
def rendered(values: str) -> list[Document]:
    sets = [word for value in KINDS_OF_VALUES[values] for word in ("--set", value)]
    done = subprocess.run(
        [str(HELM), "template", "hepar", str(CHART), "--namespace", "clinic", *sets],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_kind(values: str, kind: str) -> dict[str, Document]:
    return {one["metadata"]["name"]: one for one in rendered(values) if one["kind"] == kind}


def pods(values: str) -> dict[str, Document]:
    found = of_kind(values, "Deployment") | of_kind(values, "StatefulSet") | of_kind(values, "Job")
    return {name: one["spec"]["template"] for name, one in found.items()}


@pytest.mark.parametrize("values", KINDS_OF_VALUES)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_is_valid(values: str, version: str) -> None:
    import kubernetes_validate

    checked = 0
    for document in rendered(values):
        if document["kind"] not in FOREIGN:
            kubernetes_validate.validate(document, version, strict=True)
            checked += 1
    assert checked > 20


@pytest.mark.parametrize("values", KINDS_OF_VALUES)
def test_every_pod_is_of_the_restricted_profile_and_has_limits(values: str) -> None:
    for name, template in pods(values).items():
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", name
        assert pod["automountServiceAccountToken"] is False, name
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"]["drop"] == ["ALL"], name
            assert security["readOnlyRootFilesystem"] is True, name
            assert "memory" in container["resources"]["limits"], name
            variables = {one["name"] for one in container.get("env", [])}
            assert not variables & {"HEPAR_AUTH_DATABASE_URL", "HEPAR_AUTH_SIGNING_KEY", "HEPAR_STUDY_DATABASE_URL"}, (
                "secrets are files"
            )
        assert not any("hostPath" in volume for volume in pod.get("volumes", []))


def test_a_models_claim_is_mounted_by_every_component_that_reads_it() -> None:
    """So that a promotion is taken up without a restart."""
    for name in ("hepar-triton", "hepar-classify", "hepar-detect"):
        pod = pods("claim")[name]["spec"]
        assert {"claimName": "models", "readOnly": True} in [one.get("persistentVolumeClaim") for one in pod["volumes"]]
        assert "/models" in [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]], name


@pytest.mark.parametrize("values", KINDS_OF_VALUES)
def test_an_update_removes_no_pod_before_the_new_one_is_ready(values: str) -> None:
    budgets = of_kind(values, "PodDisruptionBudget")
    for name, deployment in of_kind(values, "Deployment").items():
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}, name
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), name
        assert container["livenessProbe"] != container["readinessProbe"], name
        if name != "hepar-triton":
            ways = {container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")}
            assert ways == {"/healthz", "/readyz"}, name
        assert name in budgets
        if name != "hepar-triton":
            delay = next(one["value"] for one in container["env"] if one["name"].endswith("DRAIN_DELAY_S"))
            assert 30 + float(delay) <= deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    job = of_kind(values, "Job")["hepar-migrate"]
    assert "pre-upgrade" in job["metadata"]["annotations"]["helm.sh/hook"]


def test_triton_scales_by_its_own_queue_independently_of_the_services() -> None:
    (scaled,) = of_kind("gpu", "ScaledObject").values()
    assert scaled["spec"]["scaleTargetRef"]["name"] == "hepar-triton"
    (trigger,) = scaled["spec"]["triggers"]
    assert "nv_inference_queue_duration_us" in trigger["metadata"]["query"]
    assert 'namespace="clinic"' in trigger["metadata"]["query"]
    deployments = of_kind("gpu", "Deployment")
    assert "replicas" not in deployments["hepar-triton"]["spec"]
    (triton,) = deployments["hepar-triton"]["spec"]["template"]["spec"]["containers"]
    assert triton["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "--model-config-name=gpu" in triton["args"][0]
    assert "hepar-triton" not in of_kind("gpu", "HorizontalPodAutoscaler")
    assert {one["spec"]["scaleTargetRef"]["name"] for one in of_kind("gpu", "HorizontalPodAutoscaler").values()} == {
        "hepar-gateway", "hepar-auth", "hepar-classify", "hepar-detect", "hepar-study",
    }  # fmt: skip


@pytest.mark.parametrize("values", ["default", "gpu", "claim"])
def test_triton_is_nvidias_server_unless_another_is_chosen(values: str) -> None:
    (triton,) = pods(values)["hepar-triton"]["spec"]["containers"]
    version = re.fullmatch(r"nvcr\.io/nvidia/tritonserver:(\d+)\.(\d+)-py3", triton["image"])
    assert version
    assert (int(version[1]), int(version[2])) >= (26, 7)
    (script,) = triton["args"]
    for flag in HARDENING:
        assert flag in script, flag
    assert ("nvidia.com/gpu" in triton["resources"]["limits"]) == (values == "gpu")


@pytest.mark.parametrize("values", KINDS_OF_VALUES)
def test_triton_has_no_secret_no_http_port_and_no_other_peer_than_the_model_services(values: str) -> None:
    pod = pods(values)["hepar-triton"]["spec"]
    (triton,) = pod["containers"]
    assert {port["containerPort"] for port in triton["ports"]} == {8001, 8002}
    assert triton["readinessProbe"]["grpc"] == {"port": 8001}
    assert not any("secret" in volume for volume in pod["volumes"])
    (own,) = [policy for name, policy in of_kind(values, "NetworkPolicy").items() if name == "hepar-triton"]
    (rule,) = own["spec"]["ingress"]
    callers = {one["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for one in rule["from"]}
    assert callers == {"classify", "detect"}
    assert rule["ports"] == [{"port": 8001}]


def test_a_gpu_needs_nvidias_server() -> None:
    command = [str(HELM), "template", "hepar", str(CHART), "--set", "triton.server=pypi,triton.gpu.enabled=true"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "triton.gpu needs triton.server=nvidia" in done.stderr


def matches(selector: Document, labels: dict[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def allowed(policies: list[Document], mine: dict[str, str], other: dict[str, str], port: int, way: str) -> bool:
    """By the rules of networking.k8s.io/v1: no policy of that way lets everything through, else one must allow it."""
    peers, at_all = {"Ingress": "from", "Egress": "to"}[way], way.lower()
    ours = [
        one["spec"]
        for one in policies
        if matches(one["spec"]["podSelector"], mine) and way in one["spec"]["policyTypes"]
    ]
    if not ours:
        return True
    for rule in [rule for spec in ours for rule in spec.get(at_all) or []]:
        if rule.get("ports") and port not in [one["port"] for one in rule["ports"]]:
            continue
        for peer in rule.get(peers, []):
            if "podSelector" in peer and "namespaceSelector" not in peer and matches(peer["podSelector"], other):
                return True
    return False


@pytest.mark.parametrize("caller", MAY_REACH)
def test_policies_allow_only_the_needed_connections(caller: str) -> None:
    policies = list(of_kind("default", "NetworkPolicy").values())
    labels = {name.removeprefix("hepar-"): template["metadata"]["labels"] for name, template in pods("default").items()}
    reached = {
        callee
        for callee, port in DOORS.items()
        if callee != caller
        and allowed(policies, labels[caller], labels[callee], port, "Egress")
        and allowed(policies, labels[callee], labels[caller], port, "Ingress")
    }
    assert reached == MAY_REACH[caller]


def test_only_auth_reaches_the_mail_server_and_its_password() -> None:
    mail = {"to": [{"ipBlock": {"cidr": "192.0.2.25/32"}}], "ports": [{"port": 587}]}
    reaching = {
        name: policy
        for name, policy in of_kind("email", "NetworkPolicy").items()
        if mail in policy["spec"].get("egress", [])
    }
    assert reaching.keys() == {"hepar-auth"}
    with_password = {
        name
        for name, template in pods("email").items()
        if "hepar_auth_smtp_password" in str(template["spec"]["volumes"])
    }
    assert with_password == {"hepar-auth"}
    (container,) = pods("email")["hepar-auth"]["spec"]["containers"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    assert variables["HEPAR_AUTH_SMTP_HOST"] == "mail.example.org"
    assert "HEPAR_AUTH_SMTP_PASSWORD" not in variables, "it is a file"
    assert "SMTP" not in str(rendered("default"))


def test_the_listener_is_reached_by_its_peers_only_and_keeps_what_it_acknowledged() -> None:
    assert "study-listener" not in str(rendered("default"))
    policy = of_kind("dicom", "NetworkPolicy")["hepar-study-listener"]["spec"]
    peers = [{"ipBlock": {"cidr": "192.0.2.40/32"}}, {"ipBlock": {"cidr": "192.0.2.41/32"}}]
    assert policy["ingress"] == [{"from": peers, "ports": [{"port": 11112}]}]
    assert [rule["ports"] for rule in policy["egress"]] == [[{"port": 5432}]]
    listener = of_kind("dicom", "StatefulSet")["hepar-study-listener"]["spec"]
    assert [claim["metadata"]["name"] for claim in listener["volumeClaimTemplates"]] == ["spool"]
    (container,) = listener["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "study_service", "listen"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts["spool"] == variables["HEPAR_STUDY_SPOOL_FOLDER"]
    assert of_kind("dicom", "Service")["hepar-study-listener"]["spec"]["externalTrafficPolicy"] == "Local"


def test_only_study_service_reaches_archives_and_knows_their_passwords() -> None:
    archive = {"to": [{"ipBlock": {"cidr": "192.0.2.40/32"}}], "ports": [{"port": 11112}, {"port": 443}]}
    policies = of_kind("dicom", "NetworkPolicy").items()
    assert {name for name, policy in policies if archive in policy["spec"].get("egress", [])} == {"hepar-study"}
    knowing = {name for name, pod in pods("dicom").items() if "hepar_study_destinations" in str(pod["spec"]["volumes"])}
    assert knowing == {"hepar-study", "hepar-study-worker"}
    assert "hepar_study_destinations" not in str(rendered("default"))


def test_the_chart_uses_the_images_that_compose_builds() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    built = {
        service["image"].rpartition("/")[2].partition(":")[0] for service in compose.values() if "build" in service
    }
    for values, triton in (("pypi", "triton-cpu"), ("default", "tritonserver")):
        used = {
            container["image"].rpartition("/")[2].partition(":")[0]
            for template in pods(values).values()
            for container in template["spec"]["containers"]
        }
        assert used == {"gateway", "auth", "classify", "detect", "study", triton}
        assert used - {"tritonserver"} <= built


def test_the_memory_of_a_model_service_holds_its_decode_workers() -> None:
    """At the same time, each at its own limit, with all uploads and the service itself."""
    for name in ("classify", "detect"):
        (container,) = pods("default")[f"hepar-{name}"]["spec"]["containers"]
        limit = container["resources"]["limits"]["memory"]
        assert int(limit.removesuffix("Mi")) * 1024**2 >= MODEL_SERVICE_BYTES
