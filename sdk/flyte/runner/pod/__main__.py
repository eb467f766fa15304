"""`python -m flyte.runner.pod`: forks as soon as it can, and loads the rest afterwards, on both sides at once."""
# ruff: noqa: E402 -- see the first statement

from __future__ import annotations

import gc
import os
import sys

# What is loaded stays until the end: looking through it meanwhile would only delay the task.
gc.disable()

from flyte.runner.pod.prepared import prepared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from flyte.runner.pod.child import Child
    from flyte.runner.pod.head_start import HeadStart
    from flyte.runner.pod.workplace import Workplace

with prepared():
    import signal

    from flyte.runner.contact import Contact
    from flyte.runner.linux import adopt_orphans
    from flyte.runner.pod.child import fork_worker
    from flyte.runner.pod.settings import PodSettings, SettingsError
    from flyte.spec.worker_exits import MISCONFIGURED

_TO_READ_ANSWERS = ("flyteapi.scheduler.v1.worker_service_pb2", "flyteapi.scheduler.v1.worker_data_service_pb2")


def main() -> int:
    """Runs the worker of this container; returns the exit code of the process."""
    if sys.path[:1] == [""]:
        # As with `python -m`: whatever changes the working folder later does not change where modules are searched.
        sys.path[0] = os.getcwd()
    try:
        settings = PodSettings.of(os.environ)
    except SettingsError as error:
        print(f"flyte worker: {error}", file=sys.stderr)
        return MISCONFIGURED
    contact = Contact(settings.contact_s)
    if settings.replica:
        # It starts ahead of its tasks, and both of its processes share what is loaded before the fork.
        with prepared():
            import flyte.runner.pod.common  # noqa: F401 - loaded, not used
    child = fork_worker(contact)
    # To the first process of a container it would be lost as long as nobody listens.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    # Before there is a task: what it leaves behind ends with it.
    adopt_orphans()
    if "GRPC_VERBOSITY" not in os.environ:
        # Streams that end are our business and not news for the container's log. Not for the task's own gRPC.
        os.putenv("GRPC_VERBOSITY", "ERROR")
    with prepared():
        from flyte.runner.pod.memory_events import MemoryEvents
        from flyte.runner.pod.workplace import Workplace

        workplace, memory = Workplace(), MemoryEvents()
        start = None if settings.replica else _head_start(settings, contact, child, workplace)
        if start is not None and start.given:
            from flyte.runner.pod.head_start import leave_alone

            leave_alone(child, workplace)
        from flyte.runner.pod.agent import run_agent
    gc.freeze()
    gc.enable()
    return run_agent(settings, child=child, contact=contact, workplace=workplace, memory=memory, head_start=start)


def _head_start(settings: PodSettings, contact: Contact, child: Child, workplace: Workplace) -> HeadStart:
    """Asks a scheduler what there is to do, and lets the worker begin."""
    import random
    from importlib import import_module

    from flyte.runner.pod.endpoints import Endpoints
    from flyte.runner.pod.first_words import FirstWords

    endpoints = Endpoints(settings.endpoints, rng=random.Random(), authorities=settings.authorities)
    words = FirstWords(endpoints, token=settings.token, contact=contact).begin()
    # While the scheduler answers: what its answer is read with comes first.
    for module in (*_TO_READ_ANSWERS, "tarfile", "zlib"):
        import_module(module)
    from flyte.runner.pod.head_start import head_start

    return head_start(words, child.stream, settings=settings, workplace=workplace)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Nothing is left to do, and gRPC's threads would only cost time.
    os._exit(code)
