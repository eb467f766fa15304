"""Every error that the SDK raises, under one root.

    BaseRuntimeError (a RuntimeError)
     +- InitializationError, LogsNotYetAvailableError
     +- RuntimeUserError             the user's code or request is wrong
     |   +- NonRecoverableError      ends the action at once, whatever retries are left
     |   +- TaskTimeoutError         +- MaxRuntimeExceededError, MaxQueuedTimeExceededError, DeadlineExceededError
     |   +- SlowDownError            +- ResourceExhaustedError
     |   +- CustomError, OOMError, RetriesExhaustedError, ActionAbortedError, ...
     +- RuntimeSystemError           the platform failed            +- UnionRpcError
     +- RuntimeUnknownError
     +- GPUFaultError                +- GPUFaultUserError, GPUFaultSystemError

A failure crosses processes as code, kind and message. `from_failure` makes the same error of them on the other side:
a parent catches `flyte.errors.OOMError` although the child died in another container.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from flyte.spec.failures import BaseRuntimeError, ErrorKind, ImageBuildError, RuntimeUserError

__all__ = [
    "APPLE_SILICON_ERRORS_BY_CODE",
    "GPU_FAULT_CODES",
    "ActionAbortedError",
    "ActionNotFoundError",
    "AppleSiliconBridgeUnreachableError",
    "AppleSiliconDaemonOOMError",
    "AppleSiliconDaemonStartFailedError",
    "AppleSiliconError",
    "AppleSiliconHostExecFailedError",
    "AppleSiliconModelNotFoundError",
    "AppleSiliconNotAvailableError",
    "BaseRuntimeError",
    "CodeBundleError",
    "ConditionAlreadyExistsError",
    "ConditionFailedError",
    "ConditionNotFoundError",
    "ConditionTimedoutError",
    "CustomError",
    "DeadlineExceededError",
    "DeploymentError",
    "ErrorKind",
    "GPUFaultError",
    "GPUFaultSystemError",
    "GPUFaultUserError",
    "ImageBuildError",
    "ImagePullBackOffError",
    "InitializationError",
    "InlineIOMaxBytesBreached",
    "InvalidImageNameError",
    "InvalidPackageError",
    "LogsNotYetAvailableError",
    "MaxQueuedTimeExceededError",
    "MaxRuntimeExceededError",
    "ModuleLoadError",
    "NonRecoverableError",
    "NotInTaskContextError",
    "OOMError",
    "OnlyAsyncIOSupportedError",
    "ParameterMaterializationError",
    "PrimaryContainerNotFoundError",
    "RemoteTaskNotFoundError",
    "RemoteTaskUsageError",
    "ResourceExhaustedError",
    "RestrictedTypeError",
    "RetriesExhaustedError",
    "RuntimeDataValidationError",
    "RuntimeSystemError",
    "RuntimeUnknownError",
    "RuntimeUserError",
    "SlowDownError",
    "SyncTaskCallInAsyncContextError",
    "TaskInterruptedError",
    "TaskTimeoutError",
    "TraceDoesNotAllowNestedTasksError",
    "UnionRpcError",
    "from_failure",
    "silence_polling_error",
]


class InitializationError(BaseRuntimeError):
    """The platform was used before `flyte.init()`."""


class LogsNotYetAvailableError(BaseRuntimeError):
    """The action has written no logs yet."""

    def __init__(self, message: str) -> None:
        super().__init__("LogsNotYetAvailable", "system", message, None)


class RuntimeSystemError(BaseRuntimeError):
    """The platform failed."""

    def __init__(self, code: str, message: str, worker: str | None = None) -> None:
        super().__init__(code, "system", message, worker)


class RuntimeUnknownError(BaseRuntimeError):
    """It is not known whose fault a failure is."""

    def __init__(self, code: str, message: str, worker: str | None = None) -> None:
        super().__init__(code, "unknown", message, worker)


class UnionRpcError(RuntimeSystemError):
    """Talking to the platform failed."""


class _NamedUserError(RuntimeUserError):
    """A user error whose code is the name of its class."""

    def __init__(self, message: str) -> None:
        super().__init__(type(self).__name__, message, None)


class NonRecoverableError(RuntimeUserError):
    """Raise it, or a subclass, in a task to end the action at once: it is not retried."""

    def __init__(self, message: str, code: str = "NonRecoverableError") -> None:
        super().__init__(code, message, None)


class TaskTimeoutError(RuntimeUserError):
    """A bound of `flyte.Timeout` was exceeded."""

    def __init__(self, message: str, code: str = "TaskTimeoutError") -> None:
        super().__init__(code, message, "user")


class MaxRuntimeExceededError(TaskTimeoutError):
    """An attempt ran longer than `Timeout.max_runtime`."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "MaxRuntimeExceededError")


class MaxQueuedTimeExceededError(TaskTimeoutError):
    """An attempt waited longer than `Timeout.max_queued_time` before it ran."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "MaxQueuedTimeExceededError")


class DeadlineExceededError(TaskTimeoutError):
    """An action did not end within `Timeout.deadline`, all attempts together."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "DeadlineExceededError")


class CustomError(RuntimeUserError):
    """An exception of the user's own, with a code of its own."""

    @classmethod
    def from_exception(cls, e: Exception) -> CustomError:
        """Make an error whose code is the class of an exception, with the exception as its cause."""
        error = cls(type(e).__name__, str(e))
        error.__cause__ = e
        return error


class OOMError(RuntimeUserError):
    """A container used more memory than it may."""


class TaskInterruptedError(RuntimeUserError):
    """The node of an interruptible task was taken away."""


class RetriesExhaustedError(RuntimeUserError):
    """The last retry failed as well."""


class PrimaryContainerNotFoundError(RuntimeUserError):
    """The pod template has no container for the task."""


class ImagePullBackOffError(RuntimeUserError):
    """The image cannot be pulled."""


class InvalidImageNameError(RuntimeUserError):
    """The reference of the image is malformed."""


class NotInTaskContextError(RuntimeUserError):
    """Something that only exists inside a task was used outside."""

    def __init__(self, code: str = "NotInTaskContextError", message: str = "", worker: str | None = None) -> None:
        super().__init__(code, message, worker)


class ActionAbortedError(_NamedUserError):
    """An action was aborted from outside; its parent sees this."""


class ActionNotFoundError(RuntimeError):
    """There is no such action."""


class CodeBundleError(_NamedUserError):
    """The code could not be bundled."""


class ConditionAlreadyExistsError(_NamedUserError):
    """The action already has a condition of this name."""


class ConditionFailedError(_NamedUserError):
    """Waiting for a condition failed."""


class ConditionNotFoundError(_NamedUserError):
    """There is no such condition."""


class ConditionTimedoutError(_NamedUserError):
    """Nobody signalled a condition in time."""


class DeploymentError(_NamedUserError):
    """A task could not be deployed."""


class InlineIOMaxBytesBreached(_NamedUserError):
    """The inputs or outputs of an action weigh more than `max_inline_io_bytes`."""


class InvalidPackageError(RuntimeUserError):
    """A package that an image asks for does not exist."""

    def __init__(self, package_name: str, original_error: str) -> None:
        super().__init__("InvalidPackageError", f"Invalid package {package_name!r}: {original_error}")
        self.package_name = package_name
        self.original_error = original_error


class ModuleLoadError(_NamedUserError):
    """A module of the user's code cannot be imported."""


class OnlyAsyncIOSupportedError(_NamedUserError):
    """Something that is only there as async was used from synchronous code."""


class ParameterMaterializationError(_NamedUserError):
    """A parameter has no value yet."""


class RemoteTaskNotFoundError(_NamedUserError):
    """There is no such deployed task."""


class RemoteTaskUsageError(_NamedUserError):
    """A deployed task was used where it cannot be, for example in a local run."""


class RestrictedTypeError(_NamedUserError):
    """A type cannot be an input or output of a task."""


class RuntimeDataValidationError(RuntimeUserError):
    """An input or output is not of its type."""

    def __init__(self, var: str, e: Exception | str, task_name: str = "") -> None:
        where = f" for task {task_name}" if task_name else ""
        super().__init__("DataValidationError", f"In variable '{var}'{where}: {e}", None)
        self.var = var


class SlowDownError(_NamedUserError):
    """The platform asks to try again later."""


class ResourceExhaustedError(SlowDownError):
    """A quota or queue is full."""


class SyncTaskCallInAsyncContextError(_NamedUserError):
    """A synchronous task was called in a blocking way on a running event loop; use `await task.aio(...)`."""


class TraceDoesNotAllowNestedTasksError(_NamedUserError):
    """A task was called inside a traced function."""


GPU_FAULT_CODES: Final = (
    *("GpuXidError", "GpuFallenOffBus", "GpuEccUncorrectable", "GpuRowRemapPending", "GpuNvlinkError", "GpuGspError"),
)
"""The codes under which faults of accelerators are reported."""


class GPUFaultError(BaseRuntimeError):
    """A failure that is put down to a fault of a GPU, with what is known of it."""

    def __init__(
        self,
        code: str,
        kind: ErrorKind,
        message: str,
        worker: str | None = None,
        *,
        fault_kind: str | None = None,
        fault_code: int | None = None,
        fault_name: str | None = None,
        severity: str | None = None,
        gpu_uuid: str | None = None,
        gpu_index: int | None = None,
        node: str | None = None,
        pci_bus_id: str | None = None,
        process: str | None = None,
    ) -> None:
        BaseRuntimeError.__init__(self, code, kind, message, worker)
        self.fault_kind = fault_kind
        self.fault_code = fault_code
        self.fault_name = fault_name
        self.severity = severity
        self.gpu_uuid = gpu_uuid
        self.gpu_index = gpu_index
        self.node = node
        self.pci_bus_id = pci_bus_id
        self.process = process

    @property
    def xid(self) -> int | None:
        """The number of the fault, if it is one of the GPU."""
        return self.fault_code if self.fault_kind == "xid" else None

    @property
    def sxid(self) -> int | None:
        """The number of the fault, if it is one of the switch between GPUs."""
        return self.fault_code if self.fault_kind == "sxid" else None


class GPUFaultUserError(GPUFaultError, RuntimeUserError):
    """A GPU fault of the workload's own doing."""

    def __init__(self, code: str, message: str, worker: str | None = None, **fault: Any) -> None:
        GPUFaultError.__init__(self, code, "user", message, worker, **fault)


class GPUFaultSystemError(GPUFaultError, RuntimeSystemError):
    """A GPU fault that condemns the device or its node."""

    def __init__(self, code: str, message: str, worker: str | None = None, **fault: Any) -> None:
        GPUFaultError.__init__(self, code, "system", message, worker, **fault)


class AppleSiliconError(RuntimeUserError):
    """A workload for the GPU of a Mac failed. This platform has no such class of devices and never raises it.

    The classes are here so that programs with `except flyte.errors.AppleSilicon...` run.
    """

    _CODE: ClassVar = "APPLE_SILICON_ERROR"

    def __init__(self, message: str, worker: str | None = None) -> None:
        super().__init__(self._CODE, message, worker)


class AppleSiliconNotAvailableError(AppleSiliconError):
    """The machine has no such GPU."""

    _CODE = "APPLE_SILICON_NOT_AVAILABLE"


class AppleSiliconHostExecFailedError(AppleSiliconError):
    """The workload could not run on the Mac."""

    _CODE = "APPLE_SILICON_HOST_EXEC_FAILED"


class AppleSiliconBridgeUnreachableError(AppleSiliconError):
    """A container could not reach the Mac that it runs on."""

    _CODE = "APPLE_SILICON_BRIDGE_UNREACHABLE"


class AppleSiliconDaemonOOMError(AppleSiliconError):
    """The process on the Mac used more memory than there is."""

    _CODE = "APPLE_SILICON_DAEMON_OOM"


class AppleSiliconDaemonStartFailedError(AppleSiliconError):
    """The process that serves models on the Mac did not start."""

    _CODE = "APPLE_SILICON_DAEMON_START_FAILED"


class AppleSiliconModelNotFoundError(AppleSiliconError):
    """The model to serve was not found."""

    _CODE = "APPLE_SILICON_MODEL_NOT_FOUND"


APPLE_SILICON_ERRORS_BY_CODE: Final[dict[str, type[AppleSiliconError]]] = {
    error._CODE: error
    for error in (
        *(AppleSiliconNotAvailableError, AppleSiliconHostExecFailedError, AppleSiliconBridgeUnreachableError),
        *(AppleSiliconDaemonOOMError, AppleSiliconDaemonStartFailedError, AppleSiliconModelNotFoundError),
    )
}
"""The classes by the code of their failures."""


_BY_CODE: Final[Mapping[str, type[BaseRuntimeError]]] = {
    cls.__name__: cls
    for cls in (
        *(ActionAbortedError, CodeBundleError, DeadlineExceededError, ImageBuildError, ImagePullBackOffError),
        *(InlineIOMaxBytesBreached, InvalidImageNameError, MaxQueuedTimeExceededError, MaxRuntimeExceededError),
        *(ModuleLoadError, NonRecoverableError, OOMError, PrimaryContainerNotFoundError, ResourceExhaustedError),
        *(RestrictedTypeError, RetriesExhaustedError, SlowDownError, SyncTaskCallInAsyncContextError),
        *(TaskInterruptedError, TaskTimeoutError, TraceDoesNotAllowNestedTasksError),
    )
} | {
    # Codes that users give to errors of these classes when they raise them.
    "ImagePullBackOff": ImagePullBackOffError,
    "Interrupted": TaskInterruptedError,
    "InvalidImageName": InvalidImageNameError,
    "OOM": OOMError,
    "OOMKilled": OOMError,
    "PrimaryContainerNotFound": PrimaryContainerNotFoundError,
    "RetriesExhausted": RetriesExhaustedError,
}

_MESSAGE_ONLY: Final = (_NamedUserError, ImageBuildError, NonRecoverableError, TaskTimeoutError)


def from_failure(*, code: str, kind: ErrorKind, message: str, worker: str | None = None) -> BaseRuntimeError:
    """Return the error that a failure in another process is raised as.

    A code of this module gives its class; any other code of the user's gives a RuntimeUserError with that code.
    """
    cls = _BY_CODE.get(code)
    if cls is not None and issubclass(cls, _MESSAGE_ONLY):
        error: BaseRuntimeError = cls(message)
        error.worker = worker or error.worker
        return error
    if cls is not None:
        return cls(code, message, worker)  # type: ignore[arg-type]
    if kind == "user":
        return RuntimeUserError(code, message, worker)
    return (RuntimeSystemError if kind == "system" else RuntimeUnknownError)(code, message, worker)


def silence_polling_error(loop: Any, context: dict[str, Any]) -> None:
    """Serve as an event loop's exception handler that leaves out gRPC's harmless complaints about its poller."""
    harmless = isinstance(context.get("exception"), BlockingIOError)
    if not harmless and "PollerCompletionQueue" not in str(context.get("message", "")):
        loop.default_exception_handler(context)
