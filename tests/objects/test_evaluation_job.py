"""The evaluator's Job: the user's template, bound to one run, its report safe to read."""

from __future__ import annotations

from typing import Any

from merit.api.spec import Spec
from merit.api.validation import parse_spec
from merit.objects.evaluation_job import evaluation_job
from merit.objects.workload import add_pod_labels, labels, owner_reference
from tests.api.manifests import put

TEMPLATE = "spec.evaluation.job.template"
MLFLOW = {"format": "MLflow", "metrics": [{"name": "auc", "from": "/roc_auc"}]}


def job(manifest: dict[str, Any]) -> dict[str, Any]:
    spec = parse_spec(manifest["spec"], name="fraud")
    assert isinstance(spec, Spec), spec
    return evaluation_job(
        job="fraud-aaaaaaaa-evaluation-123456",
        name="fraud",
        namespace="risk",
        owner=owner_reference("fraud", "uid"),
        spec=spec,
        revision="h1:" + "a" * 64,
        short="aaaaaaaa",
        nonce="b" * 16,
        stable=("h1:cc", "oci://old"),
        image="example.com/merit:1",
    )


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job(manifest)["spec"]["template"]["spec"]
    return spec


def env(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}


def with_init(**pod_spec: Any) -> dict[str, Any]:
    whole = {"initContainers": [{"name": "fetch", "image": "f:1"}], **pod_spec}
    return put(f"{TEMPLATE}.spec", {"containers": [{"name": "e", "image": "e:1"}], **whole})


def test_a_label_of_the_operator_in_a_template_does_not_reach_the_pod() -> None:
    """A spec that was accepted before such labels were refused, or a CronJob."""
    template: dict[str, Any] = {
        "metadata": {"labels": {"team": "x", "merit.dev/revision": "0" * 8}, "annotations": {}}
    }
    add_pod_labels(template, labels("fraud"))
    assert template["metadata"]["labels"] == {"team": "x"} | labels("fraud")


def test_every_container_knows_which_run_it_is() -> None:
    made = pod(with_init())
    for container in (*made["initContainers"], *made["containers"]):
        assert env(container) == {
            "MERIT_NAME": "fraud",
            "MERIT_NAMESPACE": "risk",
            "MERIT_REVISION": "h1:" + "a" * 64,
            "MERIT_NONCE": "b" * 16,
            "MERIT_MODEL_URI": "oci://example.com/fraud:1",
            "MERIT_MODEL_VERSION": "2026-11-01",
            "MERIT_STABLE_REVISION": "h1:cc",
            "MERIT_STABLE_URI": "oci://old",
        }


def test_settings_that_could_lose_or_forge_a_report_are_overridden() -> None:
    loose = {"name": "e", "image": "e:1", "terminationMessagePolicy": "FallbackToLogsOnError"}
    made = job(put(f"{TEMPLATE}.spec", {"containers": [loose], "restartPolicy": "OnFailure"}))
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["terminationMessagePolicy"] == "File"
    assert (made["spec"]["activeDeadlineSeconds"], made["spec"]["backoffLimit"]) == (3600, 1)
    assert "ttlSecondsAfterFinished" not in made["spec"]


def test_an_evaluator_gets_a_token_only_if_it_names_an_account() -> None:
    assert pod(with_init())["automountServiceAccountToken"] is False
    assert "automountServiceAccountToken" not in pod(with_init(serviceAccountName="eval"))


def test_a_report_in_the_message_needs_no_further_container() -> None:
    made = pod(with_init())
    assert [c["name"] for c in made["containers"]] == ["e"]
    assert "volumes" not in made


def test_a_report_in_a_file_is_read_by_merits_own_container_after_the_users() -> None:
    made = pod(put("spec.evaluation.report", MLFLOW, with_init()))
    assert [c["name"] for c in made["initContainers"]] == ["fetch", "e"]
    for container in made["initContainers"]:
        assert env(container)["MERIT_REPORT_DIR"] == "/merit/report"
        assert {"name": "merit-report", "mountPath": "/merit/report"} in container["volumeMounts"]
    (reader,) = made["containers"]
    assert reader["name"] == "merit-report" and reader["image"] == "example.com/merit:1"
    assert reader["command"] == ["python3", "-m", "merit"]
    assert reader["args"] == [
        "report", "--format=MLflow", "--path=metrics.json", "--metric=auc=/roc_auc",
        "--keep=recall",
    ]  # fmt: skip
    assert {"name": "merit-report", "emptyDir": {}} in made["volumes"]


def test_merits_own_container_may_do_nothing_but_read() -> None:
    made = pod(put("spec.evaluation.report", MLFLOW, with_init(serviceAccountName="eval")))
    (reader,) = made["containers"]
    assert reader["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert reader["resources"]["limits"]["memory"] == "256Mi"
    assert all(mount["readOnly"] for mount in reader["volumeMounts"])
    # The account is the user's: its token is kept out by a mount in its place.
    places = {mount["mountPath"] for mount in reader["volumeMounts"]}
    assert "/var/run/secrets/kubernetes.io/serviceaccount" in places
    assert env(reader).keys().isdisjoint({"MERIT_MODEL_URI", "MERIT_STABLE_URI"})


def test_bars_over_slices_say_which_slices_to_keep() -> None:
    bars = [
        {"metric": "f1", "min": "0.5", "slices": ["class=*"]},
        {"metric": "f1", "maxSpread": "0.1", "slices": ["class=*", "age=?"]},
    ]
    manifest = put(
        "spec.evaluation.bars", bars, put("spec.evaluation.report", {"format": "Sklearn"})
    )
    (reader,) = pod(manifest)["containers"]
    assert reader["args"][1:] == [
        "--format=Sklearn", "--path=report.json", "--keep=f1",
        "--keep-slices=class=*", "--keep-slices=age=?",
    ]  # fmt: skip


def test_a_native_report_may_be_a_file() -> None:
    (reader,) = pod(put("spec.evaluation.report", {"format": "Native", "path": "r.json"}))[
        "containers"
    ]
    assert reader["args"][:3] == ["report", "--format=Native", "--path=r.json"]


def test_the_users_own_manifest_is_left_as_it_was() -> None:
    manifest = put("spec.evaluation.report", MLFLOW, with_init())
    spec = parse_spec(manifest["spec"], name="fraud")
    assert job(manifest) == job(manifest)
    assert parse_spec(manifest["spec"], name="fraud") == spec


def test_the_reading_container_is_pulled_with_the_servers_secrets_as_well() -> None:
    server = put("spec.serving.template.spec.imagePullSecrets", [{"name": "a"}, {"name": "b"}])
    both = {"name": "e", "image": "e:1"}
    own = put(
        f"{TEMPLATE}.spec", {"containers": [both], "imagePullSecrets": [{"name": "b"}]}, server
    )
    by_merit = pod(put("spec.evaluation.report", MLFLOW, own))
    assert by_merit["imagePullSecrets"] == [{"name": "b"}, {"name": "a"}]
    assert pod(own)["imagePullSecrets"] == [{"name": "b"}]  # no image of Merit's: as it was written
    assert "imagePullSecrets" not in pod(put("spec.evaluation.report", MLFLOW, with_init()))
