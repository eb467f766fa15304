"""Errors carry what programs and people need, and nothing else."""

from __future__ import annotations

import copy
import pickle

import pytest

from flyteplane.foundation.errors import Aborted, InvalidArgument, PlatformError, ResourceExhausted


def test_a_class_has_a_reason_of_its_own_and_takes_another() -> None:
    assert Aborted("x").reason == "ABORTED"
    assert Aborted("x", reason="FENCED").reason == "FENCED"


@pytest.mark.parametrize("reason", ["fenced", "F", "NOT-FOUND", "X" * 64, "1X"])
def test_a_reason_in_another_form_is_a_mistake_of_ours(reason: str) -> None:
    with pytest.raises(ValueError, match="UPPER_SNAKE"):
        PlatformError("x", reason=reason)


def test_the_public_text_has_field_limit_and_mend_once() -> None:
    error = InvalidArgument("is too large", field="env", limit="64 KiB", mend="Use fewer variables.")
    assert error.public_text == "env: is too large (limit: 64 KiB). Use fewer variables."
    assert str(error) == f"INVALID_ARGUMENT: {error.public_text}"
    said = InvalidArgument("env is larger than 64 KiB", field="env", limit="64 KiB")
    assert said.public_text == "env is larger than 64 KiB"


@pytest.mark.parametrize("duplicate", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_copy_is_whole(duplicate: object) -> None:
    error = ResourceExhausted("full", reason="QUEUE_FULL", limit="9", retry_after_s=2.0, metadata={"queue": "q"})
    again = duplicate(error)  # type: ignore[operator]
    assert type(again) is ResourceExhausted
    assert vars(again) == vars(error)
