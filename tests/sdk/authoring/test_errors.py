"""Errors: one root, codes that survive a process boundary."""

import copy
import pickle
from typing import Any

import pytest

import flyte.errors as errors


def test_every_error_has_code_kind_and_worker() -> None:
    error = errors.TaskTimeoutError("late")
    assert (str(error), error.code, error.kind, error.worker) == ("late", "TaskTimeoutError", "user", "user")
    assert issubclass(errors.DeadlineExceededError, errors.TaskTimeoutError)
    assert issubclass(errors.ResourceExhaustedError, errors.SlowDownError)
    assert isinstance(error, RuntimeError)


@pytest.mark.parametrize(
    "error",
    [
        errors.OOMError("OOMKilled", "too much", "pod-1"),
        errors.NonRecoverableError("stop"),
        errors.RuntimeDataValidationError("x", "not an int", "env.task"),
        errors.InvalidPackageError("foo", "gone"),
        errors.ImageBuildError("no base"),
        errors.GPUFaultUserError("GpuXidError", "xid", fault_kind="xid", fault_code=31),
        errors.CustomError.from_exception(KeyError("k")),
    ],
)
def test_errors_can_be_pickled_and_copied_with_all_they_know(error: Any) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.__dict__ == error.__dict__


@pytest.mark.parametrize(
    ("code", "kind", "expected"),
    [
        ("OOMError", "user", errors.OOMError),
        ("NonRecoverableError", "user", errors.NonRecoverableError),
        ("DeadlineExceededError", "user", errors.DeadlineExceededError),
        ("ImageBuildError", "user", errors.ImageBuildError),
        ("ValueError", "user", errors.RuntimeUserError),
        ("NodeLost", "system", errors.RuntimeSystemError),
        ("Odd", "unknown", errors.RuntimeUnknownError),
    ],
)
def test_a_failure_elsewhere_is_raised_as_the_same_error_here(code: Any, kind: Any, expected: Any) -> None:
    error = errors.from_failure(code=code, kind=kind, message="m", worker="w")
    assert type(error) is expected
    assert (error.code, error.kind, str(error), error.worker) == (code, kind, "m", "w")


def test_a_custom_error_keeps_the_exception_as_its_cause() -> None:
    original = KeyError("k")
    error = errors.CustomError.from_exception(original)
    assert (error.code, error.__cause__) == ("KeyError", original)


def test_gpu_faults_tell_gpu_from_switch() -> None:
    assert errors.GPUFaultSystemError("c", "m", fault_kind="xid", fault_code=5).xid == 5
    assert errors.GPUFaultUserError("c", "m", fault_kind="sxid", fault_code=5).sxid == 5
    assert errors.GPUFaultUserError("c", "m").xid is None


def test_the_loop_handler_passes_on_everything_but_the_poller() -> None:
    class Loop:
        def __init__(self) -> None:
            self.seen: list[object] = []

        def default_exception_handler(self, context: Any) -> None:
            self.seen.append(context["message"])

    loop = Loop()
    for message in ("PollerCompletionQueue: EAGAIN", "real"):
        errors.silence_polling_error(loop, {"message": message})
    errors.silence_polling_error(loop, {"message": "in a callback", "exception": BlockingIOError(11, "again")})
    assert loop.seen == ["real"]
