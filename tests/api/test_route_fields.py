"""Parts of an HTTPRoute that people have: passed on, or refused with the true reason."""

from __future__ import annotations

from typing import Any

import pytest

from merit.api.extensions import extension_refusal
from merit.api.spec import Spec
from merit.api.validation import read_spec
from tests.api.manifests import good, put

GATEWAY = "spec.rollout.route.gateway"
CORS = {
    "type": "CORS",
    "cors": {"allowOrigins": ["https://app.example.com"], "allowMethods": ["POST"]},
}
SNIPPET = {
    "type": "ExtensionRef",
    "extensionRef": {"group": "gateway.nginx.org", "kind": "SnippetsFilter", "name": "auth"},
}
RULES: dict[str, dict[str, Any]] = {
    "cors": {"matches": [{"path": {"type": "PathPrefix", "value": "/v1"}}], "filters": [CORS]},
    "extensionref": {"filters": [SNIPPET]},
    "retry": {"retry": {"codes": [502, 503], "attempts": 2}},
    "rulename": {"name": "predict"},
    "sessionPersistence": {"sessionPersistence": {"type": "Cookie", "sessionName": "s"}},
    "timeouts": {"timeouts": {"request": "10s"}},
}


def read(*rules: dict[str, Any]) -> Any:
    return read_spec(put(f"{GATEWAY}.rules", list(rules))["spec"], name="fraud")


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_field_of_gateway_api_is_accepted(rule: dict[str, Any]) -> None:
    assert isinstance(read(rule), Spec)


@pytest.mark.parametrize(
    ("filter_", "message"),
    [
        ({"type": "RequestMirror"}, "sends copies to a backend that is not measured"),
        ({"type": "ExternalAuth"}, "is not a type of filter that Merit passes on"),
        ({"type": "ExtensionRef"}, "names no object"),
        ({"type": "ExtensionRef", "extensionRef": {"group": "", "kind": 1, "name": "x"}}, "object"),
    ],
)
def test_a_filter_is_refused_with_its_true_reason(filter_: dict[str, Any], message: str) -> None:
    (refused,) = read({"filters": [filter_]})
    assert message in refused.message and refused.field.startswith(f"{GATEWAY}.rules[0].filters[0]")


def test_one_mistake_in_an_entry_is_one_mistake() -> None:
    (refused,) = read({"retrys": {}})
    assert refused.field == f"{GATEWAY}.rules[0].retrys" and "retry" in refused.remedy
    bars = put("spec.evaluation.bars", [{"metric": "recall", "min": "0.8", "minimum": 1}])
    (refused,) = read_spec(bars["spec"], name="fraud")
    assert refused.field == "spec.evaluation.bars[0].minimum"


def test_an_empty_list_is_still_a_mistake() -> None:
    (refused,) = read()
    assert refused.field == f"{GATEWAY}.rules" and refused.message == "is empty"


def test_an_extension_is_refused_unless_the_configuration_lists_its_kind() -> None:
    spec = read({"name": "open"}, {"filters": [CORS, SNIPPET]})
    refused = extension_refusal(spec, ("gateway.nginx.org/Other",))
    assert refused is not None and refused.reason == "ExtensionRefused"
    assert refused.field == f"{GATEWAY}.rules[1].filters[1].extensionRef"
    assert "gateway.nginx.org/SnippetsFilter" in refused.message
    assert "routes.extensionRefs" in refused.remedy
    assert extension_refusal(spec, ("gateway.nginx.org/SnippetsFilter",)) is None
    assert extension_refusal(read(RULES["cors"]), ()) is None


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"labels": {"merit.dev/name": "other"}}, "is set by the operator"),
        ({"annotations": {"merit.dev/applied": "x"}}, "is set by the operator"),
        ({"labels": {"a b": "x"}}, "is no name"),
        ({"labels": {"team": "x y"}}, "is no value of a label"),
    ],
)
def test_metadata_that_cannot_stand_is_refused(metadata: dict[str, Any], message: str) -> None:
    (refused,) = read_spec(put("spec.rollout.route.metadata", metadata)["spec"], name="fraud")
    (part,) = metadata
    assert message in refused.message
    assert refused.field == f"spec.rollout.route.metadata.{part}"


def test_metadata_for_others_is_accepted() -> None:
    metadata = {
        "labels": {"team": "risk", "example.com/zone": ""},
        "annotations": {"external-dns.alpha.kubernetes.io/ttl": "60", "note": "any text: \u00e9"},
    }
    manifest = put("spec.rollout.route.metadata", metadata, good())
    assert isinstance(read_spec(manifest["spec"], name="fraud"), Spec)
