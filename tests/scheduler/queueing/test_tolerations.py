"""The tolerations of a class are what Kubernetes takes, so that no pod is refused for what an operator wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.scheduler.domain.queueing.classes import ResourceClass, parse_tolerations


@pytest.mark.parametrize(
    "toleration",
    [
        {"operator": "Exists"},
        {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "example.com/gpu", "value": "a100"},
        {"key": "gpu", "operator": "Equal", "value": ""},
        {"key": "gone", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30},
    ],
    ids=json.dumps,
)
def test_a_toleration_is_kept_as_it_is(toleration: dict[str, Any]) -> None:
    shape = ResourceClass(name="c", tolerations_json=json.dumps([toleration]))
    assert parse_tolerations(shape.tolerations_json) == [toleration]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[",
        "[{}]",
        '["gpu"]',
        '[{"kee": "gpu"}]',
        '[{"operator": "Sometimes", "key": "gpu"}]',
        '[{"operator": ["Exists"], "key": "gpu"}]',
        '[{"value": "x"}]',
        '[{"key": "gpu", "operator": "Exists", "value": "x"}]',
        '[{"key": "gpu", "effect": "Never"}]',
        '[{"key": "gpu", "effect": ["NoSchedule"]}]',
        '[{"key": "g pu", "operator": "Exists"}]',
        '[{"key": "gpu", "operator": "Exists", "tolerationSeconds": 3}]',
        '[{"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": "3"}]',
        "[" * 10_000,
        f'[{{"key": "{"k" * 20_000}"}}]',
    ],
    ids=lambda text: text[:60],
)
def test_what_is_no_list_of_tolerations_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="tolerations") as refused:
        ResourceClass(name="c", tolerations_json=text)
    assert refused.value.field == "tolerations_json"
