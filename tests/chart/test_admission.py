"""The chart's admission policies as Helm renders them; what they do is tested on an API server."""

from __future__ import annotations

from tests.chart.rendered import only, render

POLICIES = ("merit-rollback-owner", "merit-operate", "merit-pod-rights", "merit-ledger-writer")
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"


def test_every_policy_is_bound_and_denies() -> None:
    objects = render()
    for name in POLICIES:
        assert only(objects, POLICY, name)["spec"]["failurePolicy"] == "Fail"
        binding = only(objects, BINDING, name)["spec"]
        assert (binding["policyName"], binding["validationActions"]) == (name, ["Deny"])
        assert "matchResources" not in binding


def test_a_refusal_is_forbidden_and_says_something() -> None:
    for name in POLICIES:
        for rule in only(render(), POLICY, name)["spec"]["validations"]:
            assert rule["reason"] == "Forbidden"
            assert rule.get("message") or rule.get("messageExpression")


def test_policies_can_be_tried_out_or_left_away() -> None:
    tried = render(admission={"actions": ["Warn", "Audit"]})
    assert only(tried, BINDING, "merit-operate")["spec"]["validationActions"] == ["Warn", "Audit"]
    without = render(admission={"enabled": False})
    assert not [o for o in without if o["kind"] in (POLICY, BINDING)]


def test_an_operator_of_named_namespaces_judges_nothing_outside_them() -> None:
    objects = render(config={"watch": {"namespaces": ["risk", "ads"]}})
    (term,) = only(objects, BINDING, "merit-pod-rights")["spec"]["matchResources"][
        "namespaceSelector"
    ]["matchExpressions"]
    assert (term["key"], term["values"]) == ("kubernetes.io/metadata.name", ["risk", "ads"])


def test_the_operator_passes_by_the_name_of_its_own_account() -> None:
    objects = render(serviceAccount={"create": False, "name": "models"})
    for name in ("merit-rollback-owner", "merit-operate", "merit-ledger-writer"):
        assert "system:serviceaccount:merit-system:models'" in str(only(objects, POLICY, name))


def test_host_access_is_refused_unless_the_operators_configuration_allows_it() -> None:
    assert "hostPath" in str(only(render(), POLICY, "merit-pod-rights"))
    allowed = render(config={"pods": {"hostAccess": True}})
    assert "hostPath" not in str(only(allowed, POLICY, "merit-pod-rights"))


def test_only_admins_get_the_verbs_operate_and_rollback() -> None:
    role = only(render(), "ClusterRole", "merit-operator")
    assert {"operate", "rollback"} <= set(role["rules"][0]["verbs"])
    aggregate = "rbac.authorization.k8s.io/aggregate-to-"
    assert [k for k in role["metadata"]["labels"] if k.startswith(aggregate)] == [
        aggregate + "admin"
    ]
    edit = only(render(), "ClusterRole", "merit-edit")
    assert not {"operate", "rollback"} & {v for rule in edit["rules"] for v in rule["verbs"]}


CONFINED = ("merit-operator-writes", "merit-operator-namespaces")


def test_the_operator_itself_is_confined_everywhere_and_one_value_ends_that() -> None:
    objects = render(config={"watch": {"namespaces": ["risk"]}})
    for name in CONFINED:
        assert only(objects, POLICY, name)["spec"]["failurePolicy"] == "Fail"
        binding = only(objects, BINDING, name)["spec"]
        assert (binding["policyName"], binding["validationActions"]) == (name, ["Deny"])
        assert "matchResources" not in binding
    assert binding["paramRef"] == {"selector": {}, "parameterNotFoundAction": "Deny"}
    without = render(admission={"confineOperator": False})
    assert not {o["metadata"]["name"] for o in without} & set(CONFINED)
    assert only(without, POLICY, "merit-operate")
