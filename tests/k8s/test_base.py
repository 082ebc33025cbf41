"""The manifests of k8s/base, as kustomize renders them, against the code that they run."""

import shutil
import subprocess
from typing import Any

import pytest
import yaml

from consumers.settings import Settings
from tests.conftest import REPOSITORY, absent

BASE = REPOSITORY / "k8s" / "base"
Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    if shutil.which("kubectl") is None:
        absent("kubectl is not on the path")
    done = subprocess.run(
        ["kubectl", "kustomize", str(BASE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def workloads(manifests: list[Manifest]) -> dict[str, Manifest]:
    return {
        one["metadata"]["name"]: one for one in manifests if one["kind"] in {"Deployment", "Job"}
    }


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    return {name: one["spec"]["template"] for name, one in workloads(manifests).items()}


def variables(manifests: list[Manifest]) -> dict[str, str]:
    (configmap,) = (one for one in manifests if one["kind"] == "ConfigMap")
    found: dict[str, str] = dict(configmap["data"])
    for pod in pods(manifests).values():
        for entry in pod["spec"]["containers"][0].get("env", []):
            found[entry["name"]] = entry["value"]
    return found


def test_each_role_of_the_cluster_has_one_workload(manifests: list[Manifest]) -> None:
    kinds = {name: one["kind"] for name, one in workloads(manifests).items()}
    assert kinds == {
        "freshet-windows": "Deployment",
        "freshet-train": "Deployment",
        "freshet-serve": "Deployment",
        "freshet-topics": "Job",
    }
    for name, pod in pods(manifests).items():
        assert pod["spec"]["containers"][0]["args"] == [name.removeprefix("freshet-")]


def test_every_variable_is_a_setting_and_all_together_are_valid(
    manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = variables(manifests)
    fields = {f"FRESHET_{name.upper()}" for name in Settings.model_fields}
    assert given.keys() <= fields
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.bootstrap_servers == given["FRESHET_BOOTSTRAP_SERVERS"]
    assert settings.replication_factor == 3


def test_the_store_and_the_cache_of_the_settings_are_mounted_where_they_are_written(
    manifests: list[Manifest],
) -> None:
    given = variables(manifests)
    for name in ("freshet-train", "freshet-serve"):
        mounts = pods(manifests)[name]["spec"]["containers"][0]["volumeMounts"]
        writable = {one["mountPath"] for one in mounts if not one.get("readOnly")}
        assert given["FRESHET_CACHE"] in writable
        assert (given["FRESHET_STORE"] in writable) == (name == "freshet-train")


def test_every_pod_is_bounded_unprivileged_and_has_time_to_drain(
    manifests: list[Manifest],
) -> None:
    for name, pod in pods(manifests).items():
        spec = pod["spec"]
        (container,) = spec["containers"]
        assert container["resources"]["limits"]["memory"], name
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert workloads(manifests)[name]["kind"] == "Job" or spec["terminationGracePeriodSeconds"]


def deployments(manifests: list[Manifest]) -> dict[str, Manifest]:
    kinds = {name: one["kind"] for name, one in workloads(manifests).items()}
    return {name: pod for name, pod in pods(manifests).items() if kinds[name] == "Deployment"}


def test_a_role_is_given_more_time_to_end_than_it_takes(manifests: list[Manifest]) -> None:
    limit = float(variables(manifests)["FRESHET_SHUTDOWN_SECONDS"])
    for name, pod in deployments(manifests).items():
        assert pod["spec"]["terminationGracePeriodSeconds"] >= limit + 5, name


def test_every_role_is_probed_where_it_answers(manifests: list[Manifest]) -> None:
    given = variables(manifests)
    assert given["FRESHET_HEALTH_HOST"] == "0.0.0.0"  # noqa: S104 - inside of the pod's network
    for name, pod in deployments(manifests).items():
        (container,) = pod["spec"]["containers"]
        ports = {one["name"]: one["containerPort"] for one in container["ports"]}
        asked = {}
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            get = container[kind]["httpGet"]
            assert str(ports[get["port"]]) == given["FRESHET_HEALTH_PORT"], name
            asked[kind] = get["path"]
        assert asked == {
            "startupProbe": "/live",
            "livenessProbe": "/live",
            "readinessProbe": "/ready",
        }


def test_a_stalled_role_has_the_time_to_heal_itself_before_it_is_killed(
    manifests: list[Manifest],
) -> None:
    # Noticed at one limit, two more steps half a limit later each.
    healed_after = Settings().stall_seconds
    for name, pod in deployments(manifests).items():
        probe = pod["spec"]["containers"][0]["livenessProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= healed_after, name


def test_selectors_find_their_own_pods_and_no_others(manifests: list[Manifest]) -> None:
    for name, one in workloads(manifests).items():
        if one["kind"] == "Deployment":
            wanted = one["spec"]["selector"]["matchLabels"].items()
            found = [
                key
                for key, pod in pods(manifests).items()
                if wanted <= pod["metadata"]["labels"].items()
            ]
            assert found == [name]


def test_each_file_holds_one_kind_and_is_listed() -> None:
    listed = set(yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"])
    files = {path.name for path in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    assert listed == files
    for name in files:
        (manifest,) = yaml.safe_load_all((BASE / name).read_text())
        assert name.split("-")[0].removesuffix(".yaml") == manifest["kind"].lower()
