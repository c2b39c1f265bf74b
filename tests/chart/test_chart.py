"""The chart: its rights, the security of its pods, its values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from merit import config
from merit.kube.watches import watched
from tests.chart.rendered import CHART, ROOT, helm, only, render

CRD = "merit.dev_modeldeployments.yaml"
PROMETHEUS = {"url": "http://prometheus.monitoring:9090"}
CONFIG = {
    "metrics": {
        "default": "contour",
        "sources": {"contour": {"preset": "contour-envoy", "prometheus": PROMETHEUS}},
    }
}


def rules(objects: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    return [rule for o in objects if o["kind"] in ("Role", "ClusterRole") for rule in o["rules"]]


def test_the_chart_has_nothing_for_helm_to_complain_of() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_charts_copy_of_the_crd_is_the_one_that_the_models_generate() -> None:
    assert (CHART / "files" / CRD).read_bytes() == (ROOT / "crds" / CRD).read_bytes(), (
        "stale: make crd"
    )


def test_the_crd_is_upgraded_with_the_release_and_survives_its_end() -> None:
    crd = only(render(), "CustomResourceDefinition", "modeldeployments.merit.dev")
    assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert crd["spec"] == yaml.safe_load((ROOT / "crds" / CRD).read_text())["spec"]
    without = render(crds={"install": False})
    assert not [o for o in without if o["kind"] == "CustomResourceDefinition"]


def test_no_role_reaches_secrets_or_has_a_wildcard() -> None:
    for rule in rules(render()):
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert not {"secrets", "pods/exec", "nodes"} & set(rule["resources"])
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])


def test_the_operator_can_never_bring_a_deleted_object_back() -> None:
    (rule,) = [
        r for r in only(render(), "ClusterRole")["rules"] if r["resources"] == ["modeldeployments"]
    ]
    assert rule["verbs"] == ["get", "list", "watch", "patch"]


def test_the_rights_on_the_lease_end_at_one_name() -> None:
    create, named = only(render(), "Role", "merit-lease")["rules"]
    assert create["verbs"] == ["create"]
    assert (named["resourceNames"], named["verbs"]) == (["merit"], ["get", "update"])


def test_with_named_namespaces_nothing_is_granted_outside_them() -> None:
    objects = render(config={"watch": {"namespaces": ["risk", "ads"]}}, rbac={"userRoles": False})
    assert not [o for o in objects if o["kind"] in ("ClusterRole", "ClusterRoleBinding")]
    granted = {
        o["metadata"]["namespace"]
        for o in objects
        if o["kind"] == "RoleBinding" and o["metadata"]["name"] == "merit"
    }
    assert granted == {"risk", "ads"}


def test_pods_are_restricted_and_cannot_write_to_their_root() -> None:
    pod = only(render(), "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    (container,) = pod["containers"]
    fence = container["securityContext"]
    assert fence["allowPrivilegeEscalation"] is False
    assert fence["readOnlyRootFilesystem"] is True
    assert fence["capabilities"] == {"drop": ["ALL"]}
    writable = {v["name"] for v in pod["volumes"] if "emptyDir" in v}
    mounts = {m["mountPath"] for m in container["volumeMounts"] if m["name"] in writable}
    assert mounts == {"/tmp"}
    assert set(container["resources"]) == {"requests", "limits"}
    assert {"livenessProbe", "readinessProbe", "startupProbe"} <= set(container)


def test_one_replica_survives_a_drain_and_a_single_one_does_not_block_it() -> None:
    assert only(render(), "Deployment")["spec"]["replicas"] == 2
    assert only(render(), "PodDisruptionBudget")["spec"]["minAvailable"] == 1
    assert not [o for o in render(replicas=1) if o["kind"] == "PodDisruptionBudget"]


def test_new_configuration_makes_new_pods() -> None:
    def mark(**values: Any) -> str:
        template = only(render(**values), "Deployment")["spec"]["template"]
        return str(template["metadata"]["annotations"]["merit.dev/config"])

    assert mark(config=CONFIG) == mark(config=CONFIG)
    assert mark(config=CONFIG) != mark()


def test_the_configuration_reaches_the_operator_as_it_was_given() -> None:
    objects = render(config=CONFIG)
    assert yaml.safe_load(only(objects, "ConfigMap")["data"]["config.yaml"]) == CONFIG
    (container,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["run", "--config", "/etc/merit/config.yaml"]


def test_a_misspelt_value_is_refused_by_name() -> None:
    for values, word in (
        ({"replica": 3}, "replica"),
        ({"image": {"tags": "1"}}, "tags"),
        ({"config": {"metric": {}}}, "metric"),
    ):
        done = helm("template", "merit", str(CHART), "-f", "-", given=json.dumps(values))
        assert done.returncode != 0
        assert word in done.stderr


def test_the_schema_of_the_values_knows_what_the_operators_configuration_knows() -> None:
    def fields(model: type[BaseModel]) -> set[str]:
        return {field.alias or name for name, field in model.model_fields.items()}

    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]
    source = schema["properties"]["metrics"]["properties"]["sources"]["additionalProperties"]
    assert set(schema["properties"]) == fields(config.Config)
    for name, model in (
        ("watch", config.Watch),
        ("metrics", config.Metrics),
        ("alerts", config.Alerts),
        ("judgement", config.Judgement),
        ("tick", config.Tick),
        ("log", config.Log),
    ):
        assert set(schema["properties"][name]["properties"]) == fields(model)
    prices = schema["properties"]["prices"]["additionalProperties"]
    assert set(prices["properties"]) == fields(config.Prices)
    assert set(source["properties"]) == fields(config.Source)
    alertmanager = schema["properties"]["alerts"]["properties"]["alertmanager"]
    assert set(alertmanager["properties"]) == fields(config.AlertmanagerServer)
    assert set(source["properties"]["prometheus"]["properties"]) == fields(config.PrometheusServer)


def test_users_get_what_they_may_through_kubernetes_own_roles() -> None:
    objects = render()
    view, edit = (
        only(objects, "ClusterRole", "merit-view"),
        only(objects, "ClusterRole", "merit-edit"),
    )
    aggregate = "rbac.authorization.k8s.io/aggregate-to-"
    assert view["metadata"]["labels"][aggregate + "view"] == "true"
    assert edit["metadata"]["labels"][aggregate + "edit"] == "true"
    assert all("status" not in r for rule in edit["rules"] for r in rule["resources"])


def test_the_role_lets_the_operator_watch_whatever_it_watches() -> None:
    granted = {
        (group, resource): set(rule["verbs"])
        for rule in only(render(), "ClusterRole")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    for kind in watched(gateway_api=True):
        needed = {"list"} if kind.listed else {"list", "watch"}
        assert needed <= granted[kind.group, kind.plural], kind


def test_the_network_reaches_the_metrics_port_of_the_pods_and_nothing_else() -> None:
    objects = render()
    policy = only(objects, "NetworkPolicy")["spec"]
    pods = only(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= pods.items()
    assert policy["policyTypes"] == ["Ingress"]
    assert policy["ingress"] == [{"ports": [{"port": "metrics", "protocol": "TCP"}]}]
    assert not [o for o in render(networkPolicy={"enabled": False}) if o["kind"] == "NetworkPolicy"]


def test_who_may_connect_and_whom_the_pods_connect_to_can_be_named() -> None:
    monitoring = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}
    }
    prometheus = {"to": [monitoring], "ports": [{"port": 9090, "protocol": "TCP"}]}
    egress = {
        "enabled": True,
        "apiServer": {"ports": [6443], "cidrs": ["10.0.0.1/32"]},
        "to": [prometheus],
    }
    values = {"ingress": {"from": [monitoring]}, "egress": egress}
    policy = only(render(networkPolicy=values), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"][0]["from"] == [monitoring]
    names, server, more = policy["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert server == {
        "ports": [{"port": 6443, "protocol": "TCP"}],
        "to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
    }
    assert more == prometheus
