"""`python -m flyte.runner.pod`: forks as soon as it can, and loads the rest afterwards, on both sides at once."""
# ruff: noqa: E402 -- see the first statement

from __future__ import annotations

import gc
import os
import sys

# What is loaded stays until the end: looking through it meanwhile would only delay the task.
gc.disable()

from flyte.runner.pod.prepared import prepared

with prepared():
    import flyte.runner.pod.common  # noqa: F401
    from flyte.runner.contact import Contact
    from flyte.runner.pod.child import fork_worker
    from flyte.runner.pod.settings import PodSettings, SettingsError
    from flyte.spec.worker_exits import MISCONFIGURED


def main() -> int:
    """Runs the worker of this container; returns the exit code of the process."""
    try:
        settings = PodSettings.of(os.environ)
    except SettingsError as error:
        print(f"flyte worker: {error}", file=sys.stderr)
        return MISCONFIGURED
    contact = Contact(settings.contact_s)
    child = fork_worker(contact)
    if "GRPC_VERBOSITY" not in os.environ:
        # Streams that end are our business and not news for the container's log. Not for the task's own gRPC.
        os.putenv("GRPC_VERBOSITY", "ERROR")
    with prepared():
        from flyte.runner.pod.agent import run_agent

    gc.freeze()
    gc.enable()
    return run_agent(settings, child=child, contact=contact)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Nothing is left to do, and gRPC's threads would only cost time.
    os._exit(code)
