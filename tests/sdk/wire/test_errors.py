"""The errors of tasks, from the process where they happen to the parent that catches them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from flyte.authoring.interface import NativeInterface
from flyte.authoring.task import TaskTemplate
from flyte.errors import (
    ActionAbortedError,
    CustomError,
    DeadlineExceededError,
    GPUFaultUserError,
    MaxRuntimeExceededError,
    NonRecoverableError,
    OOMError,
    RuntimeDataValidationError,
    RuntimeSystemError,
    RuntimeUserError,
)
from flyte.types.interface import interface_codec
from flyte.wire.errors import (
    MAX_TEXT_BYTES,
    cut,
    error_for_parent,
    error_from_proto,
    error_to_proto,
    original_exception,
)
from flyteapi.common.v1.error_pb2 import (
    ERROR_KIND_REFUSED,
    ERROR_KIND_SYSTEM,
    ERROR_KIND_TIMEOUT,
    ERROR_KIND_USER,
    TaskError,
)


class Odd(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


async def returns_a_call() -> int:
    return 1


def raised(error: BaseException) -> BaseException:
    """Returns an error with the traceback of a raise in user code, as the platform catches it."""

    async def user_code() -> None:
        raise error

    try:
        asyncio.run(user_code())
    except BaseException as caught:
        return caught
    raise AssertionError


def test_an_exception_becomes_its_class_name_message_and_traceback() -> None:
    message = error_to_proto(raised(ValueError("boom [x]")))
    assert (message.kind, message.code, message.message, message.recoverable) == (
        *(ERROR_KIND_USER, "ValueError", "boom [x]", True),
    )
    assert "raise error" in message.traceback
    assert message.traceback.endswith("ValueError: boom [x]\n")


def test_only_frames_of_the_users_code_are_shown() -> None:
    traceback = error_to_proto(raised(ValueError("x"))).traceback
    assert "in user_code" in traceback
    assert "runners.py" not in traceback
    assert "base_events.py" not in traceback


def test_an_error_of_the_platforms_own_code_keeps_its_frames() -> None:
    with pytest.raises(TypeError) as caught:
        TaskTemplate(name="x", no_such_setting=1)
    frames = error_to_proto(caught.value.with_traceback(caught.tb.tb_next)).traceback
    assert "task.py" in frames


def test_causes_are_shown_without_frames_of_the_platform() -> None:
    def user_code() -> None:
        try:
            asyncio.run(asyncio.sleep(0, result=int("a")))
        except ValueError as error:
            raise KeyError("k") from error

    with pytest.raises(KeyError) as caught:
        user_code()
    traceback = error_to_proto(caught.value).traceback
    assert "invalid literal" in traceback
    assert "direct cause" in traceback
    assert "runners.py" not in traceback


def test_a_long_message_is_cut_and_says_so() -> None:
    message = error_to_proto(ValueError("ä" * MAX_TEXT_BYTES)).message
    assert len(message.encode()) <= MAX_TEXT_BYTES
    assert message.endswith(f"[cut: {2 * MAX_TEXT_BYTES} bytes in all]")
    assert cut("a\ud800") == "a\\ud800"


def test_non_recoverable_errors_and_their_subclasses_are_not_tried_again() -> None:
    class Fatal(NonRecoverableError):
        pass

    assert not error_to_proto(NonRecoverableError("no")).recoverable
    assert not error_to_proto(Fatal("no")).recoverable


def test_an_error_of_ours_travels_under_its_own_code() -> None:
    assert error_to_proto(CustomError("MY_CODE", "m")).code == "MY_CODE"


def test_a_result_of_the_wrong_type_travels_without_frames_of_the_platform() -> None:
    """What the user can mend is in the message; where in our code it was noticed is not."""
    codec = interface_codec(NativeInterface.from_callable(returns_a_call))
    with pytest.raises(RuntimeDataValidationError) as refused:
        codec.encode_outputs(call := returns_a_call())
    call.close()
    message = error_to_proto(refused.value.with_traceback(refused.tb.tb_next))
    assert "Nobody awaited it: write `await` before the call that made it" in message.message
    assert message.traceback.strip() == f"flyte.errors.RuntimeDataValidationError: {message.message}"


def test_errors_that_cannot_be_shown_or_pickled_still_travel() -> None:
    assert "whose __str__ raised RuntimeError" in error_to_proto(Odd()).message
    unpicklable = ValueError(generator := (n for n in range(3)))
    assert error_to_proto(unpicklable).pickled_exception == b""
    assert error_to_proto(unpicklable).message == str(generator)


def test_an_exit_carries_its_code() -> None:
    message = error_to_proto(SystemExit(3))
    assert (message.code, message.exit_code) == ("SystemExit", 3)


def test_the_parent_gets_code_kind_message_and_traceback() -> None:
    message = error_to_proto(raised(ValueError("boom")))
    error = error_from_proto(message)
    assert isinstance(error, RuntimeUserError)
    assert (error.code, error.kind, str(error)) == ("ValueError", "user", "boom")
    assert "in user_code" in "".join(error.__notes__)
    assert isinstance(original_exception(message), ValueError)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (TaskError(kind=ERROR_KIND_TIMEOUT, code="MaxRuntimeExceededError", message="m"), MaxRuntimeExceededError),
        (TaskError(kind=ERROR_KIND_TIMEOUT, code="DeadlineExceededError", message="m"), DeadlineExceededError),
        (TaskError(kind=ERROR_KIND_USER, code="OUT_OF_MEMORY", message="m"), OOMError),
        (TaskError(kind=ERROR_KIND_USER, code="ABORTED", message="m"), ActionAbortedError),
        (TaskError(kind=ERROR_KIND_USER, code="NonRecoverableError", message="m"), NonRecoverableError),
        (TaskError(kind=ERROR_KIND_SYSTEM, code="WORKER_LOST", message="m"), RuntimeSystemError),
        (TaskError(kind=ERROR_KIND_REFUSED, code="NO_CLASS_FITS", message="m"), RuntimeUserError),
        (TaskError(message="m"), RuntimeSystemError),
    ],
)
def test_failures_that_the_platform_found_have_their_own_errors(message: TaskError, kind: type[Exception]) -> None:
    error = error_from_proto(message)
    assert isinstance(error, kind)
    assert str(error) == "m"


def test_a_broken_pickle_is_no_error() -> None:
    assert original_exception(TaskError(code="X", pickled_exception=b"broken")) is None
    assert original_exception(TaskError(code="X")) is None


def test_a_project_folder_named_like_a_package_of_ours_is_user_code(tmp_path: Path) -> None:
    """Frames are judged by where our packages lie, not by a word in the path."""
    script = tmp_path / "flyte" / "asyncio" / "user.py"
    script.parent.mkdir(parents=True)
    script.write_text(
        "from flyte.wire.errors import error_to_proto\n"
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    print(error_to_proto(error).traceback)\n"
    )
    shown = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout
    assert "1 / 0" in shown


class MineOnly(RuntimeSystemError):
    def __init__(self, part: int) -> None:
        super().__init__("Mine", f"part {part}")


def test_a_parent_catches_errors_of_ours_by_class_whatever_their_code() -> None:
    fault = GPUFaultUserError("Mine", "lost", fault_kind="xid", fault_code=79)
    for error, cls in [
        (OOMError("oom", "no room"), OOMError),
        (fault, GPUFaultUserError),
        (MineOnly(2), RuntimeSystemError),
    ]:
        message = error_to_proto(raised(error))
        seen = error_for_parent(message, original_exception(message))
        assert (type(seen), seen.code, str(seen), seen.kind) == (cls, error.code, error.message, error.kind)
        assert any("user_code" in note for note in seen.__notes__)
        assert type(error_for_parent(message, None)) is RuntimeUserError
        if isinstance(seen, GPUFaultUserError):
            assert seen.xid == 79
    assert type(error_for_parent(error_to_proto(ValueError("x")), ValueError("x"))) is RuntimeUserError
