"""Labels and annotations that Kubernetes refuses, or that are the platform's, are refused before a run is sent."""

from __future__ import annotations

import pytest

import flyte
from flyte.spec.pod_metadata import MAX_ANNOTATIONS_BYTES, check_pod_annotations, check_pod_labels, is_platform_key
from flyte.spec.problems import InvalidSetting, InvalidSettingType


@pytest.mark.parametrize("key", ["flyteplane.dev/run", "a.flyteplane.dev/x"])
def test_keys_of_the_platform_are_refused_as_labels_and_annotations(key: str) -> None:
    assert is_platform_key(key)
    with pytest.raises(InvalidSetting, match="set by the platform only") as refused:
        check_pod_labels({key: "x"})
    assert refused.value.field == "labels"
    with pytest.raises(InvalidSetting, match="set by the platform only"):
        check_pod_annotations({key: "x"})


@pytest.mark.parametrize("key", ["team", "example.org/team", "notflyteplane.dev/team", "flyteplane.dev"])
def test_other_keys_are_taken(key: str) -> None:
    check_pod_labels({key: "a"})
    check_pod_annotations({key: "any text, of any length: " + "x" * 1000})


def test_annotations_may_weigh_what_kubernetes_takes_and_no_byte_more() -> None:
    check_pod_annotations({"a": "x" * (MAX_ANNOTATIONS_BYTES - 1)})
    with pytest.raises(InvalidSetting, match="limit is 262144"):
        check_pod_annotations({"a": "x" * MAX_ANNOTATIONS_BYTES})


def test_an_annotation_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidSettingType, match="annotations"):
        check_pod_annotations({"a": 1})  # type: ignore[dict-item]


def test_a_run_is_refused_before_it_is_sent() -> None:
    with pytest.raises(InvalidSetting, match="set by the platform only"):
        flyte.with_runcontext(annotations={"flyteplane.dev/worker": "me"})
    with pytest.raises(InvalidSetting, match="label key"):
        flyte.with_runcontext(annotations={"two words": "me"})
