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
    from flyte.runner.pod.first_words import FirstWords

with prepared():
    import flyte.runner.pod.common  # noqa: F401
    from flyte.runner.contact import Contact
    from flyte.runner.pod.child import fork_worker
    from flyte.runner.pod.settings import PodSettings, SettingsError
    from flyte.spec.worker_exits import MISCONFIGURED


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
    child = fork_worker(contact)
    if "GRPC_VERBOSITY" not in os.environ:
        # Streams that end are our business and not news for the container's log. Not for the task's own gRPC.
        os.putenv("GRPC_VERBOSITY", "ERROR")
    with prepared():
        first_words = None if settings.replica else _first_words(settings, contact)
        from flyte.runner.pod.agent import run_agent
        from flyte.runner.pod.preparation import Preparation

        Preparation.load()
    gc.freeze()
    gc.enable()
    return run_agent(settings, child=child, contact=contact, first_words=first_words)


def _first_words(settings: PodSettings, contact: Contact) -> FirstWords:
    """Begins to ask a scheduler what there is to do, beside all that is loaded meanwhile."""
    import random

    from flyte.runner.pod.endpoints import Endpoints
    from flyte.runner.pod.first_words import FirstWords
    from flyte.runner.pod.hello import hello

    endpoints = Endpoints(settings.endpoints, rng=random.Random(), authorities=settings.authorities)
    return FirstWords(endpoints, hello=hello(settings.token), contact=contact).begin()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Nothing is left to do, and gRPC's threads would only cost time.
    os._exit(code)
