"""What a template has loaded, and that its rehearsal leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys

REHEARSE_TWICE = """
import os, signal, sys, threading
from flyte.runner.preload import preload
from flyte.runner.rehearsal import rehearse

def state():
    handlers = [signal.getsignal(number) for number in range(1, 32)]
    return sorted(os.environ.items()), len(os.listdir("/proc/self/fd")), handlers, sys.stdout, os.getcwd(), sys.argv

preload()
rehearse()
before = state()
rehearse()
assert state() == before, (state(), before)
assert threading.enumerate() == [threading.main_thread()]
assert "flyte.runner.rehearsed" not in sys.modules
print(*sys.modules)
"""


def test_a_template_is_free_of_threads_and_of_what_does_not_survive_a_fork() -> None:
    finished = subprocess.run([sys.executable, "-c", REHEARSE_TWICE], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    loaded = set(finished.stdout.split())
    assert not loaded & {
        "grpc",
        "pydantic",
        "numpy",
        "pandas",
        "pyarrow",
        "obstore",
        "sqlalchemy",
        "rich",
        "flyteplane",
    }
    # What user modules ask for has to be there before the fork.
    assert {"flyte.authoring.task_environment", "flyte.types.codecs", "cloudpickle", "flyte.wire.errors"} <= loaded
