"""A canary that a task does everything with that it should not is found nowhere outside of the secrets service.

The task prints the value in every way and by every door of the process, and fails with it; then everything that the
platform keeps and everything that it says is searched.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

import pytest
from tests.support.platform import PlatformUnderTest
from tests.support.processes import assert_ended

VALUE: Final = "kanarie-4711 'sings' \"it\" \\o/ für+alle"
KEY: Final = (
    "-----BEGIN KEY-----\nMIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8Qu\n-----END KEY-----\n"
)
PROGRAM: Final = """
import base64, ctypes, faulthandler, json, logging, os, subprocess, sys, time
from urllib.parse import quote, quote_plus

import flyte
from pathlib import Path

SECRETS = [flyte.Secret("DB_PASSWORD"), flyte.Secret("KEY", mount=Path("/etc/flyte/secrets"))]
env = flyte.TaskEnvironment("canary", secrets=SECRETS)
warm = flyte.TaskEnvironment("warm", secrets=SECRETS, reusable=flyte.ReusePolicy(replicas=1, idle_ttl=60))
apart = flyte.TaskEnvironment("apart", depends_on=[env])


def values():
    with open(os.path.join(os.environ["FLYTE_SECRETS_DIR"], "KEY")) as file:
        return os.environ["DB_PASSWORD"], file.read()


def forms():
    for value in values():
        yield value
        yield from (repr(value), ascii(value), repr(value.encode()), json.dumps(value), json.dumps([repr(value)]))
        yield from (quote(value), quote(value, safe=""), quote_plus(value))
        yield from (value.encode().hex(), base64.b64encode(value.encode()).decode())
        yield base64.b64encode(f"user:{value}".encode()).decode()
        yield base64.encodebytes(value.encode()).decode()
    yield repr(os.environ)


def print_by_all_doors():
    print("worker", os.getpid())
    for form in forms():
        print("print", form)
        print("stderr", form, file=sys.stderr)
        logging.getLogger("canary").error("logging %s", form)
        os.write(1, f"descriptor {form}\\n".encode())
        os.write(2, f"descriptor-2 {form}\\n".encode())
        subprocess.run([sys.executable, "-Sc", "import sys; print('program', sys.argv[1])", form], check=True)
    if os.fork() == 0:
        for form in forms():
            print("fork", form)
        os._exit(0)
    os.wait()
    for letter in values()[0]:
        os.write(1, letter.encode())
        print(letter, end="", flush=True)
        time.sleep(0.01)
    print(flush=True)
    libc = ctypes.CDLL(None)
    libc.puts(f"libc {values()[0]}".encode())


@env.task
def prints() -> int:
    print_by_all_doors()
    return 1


@warm.task
async def prints_warm() -> int:
    print_by_all_doors()
    return 1


class Refused(Exception):
    def __init__(self, *values):
        super().__init__(*values)
        self.environment = dict(os.environ)


@env.task
def fails() -> int:
    try:
        raise KeyError(values()[0])
    except KeyError as error:
        raise Refused("refused:", values(), base64.b64encode(values()[0].encode())) from error


@warm.task
async def fails_warm() -> int:
    raise Refused("refused:", values())


@apart.task
async def passes_on() -> int:
    return await fails.aio()


@env.task
def exits() -> int:
    sys.exit(values()[0])


@env.task
def crashes() -> int:
    print("last words", values()[0])
    os.write(2, f"last words {values()[0]}\\n".encode())
    faulthandler.enable(open(2, "w", closefd=False))
    ctypes.string_at(0)
"""


def forms_of(value: str) -> Iterator[str]:
    """How the program writes a value, by means of its own."""
    yield from (value, repr(value)[1:-1], ascii(value)[1:-1], repr(value.encode())[2:-1], json.dumps(value)[1:-1])
    yield from (quote(value), quote(value, safe=""), quote_plus(value), value.encode().hex())
    yield base64.b64encode(value.encode()).decode()
    # The middle of a longer text in base64 depends on where in it the value begins.
    yield from (base64.b64encode(bytes(before) + value.encode()).decode()[4:-4] for before in range(3))
    yield from (line for line in value.splitlines() if len(line) >= 4)


FORMS: Final = frozenset(form.encode() for value in (VALUE, KEY) for form in forms_of(value))


def sightings(where: str, content: bytes) -> list[str]:
    return [f"{where}: {form.decode()}" for form in FORMS if form in content]


def all_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def own_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """A platform that keeps the canary, searched once more when it has stopped."""
    platform = PlatformUnderTest(tmp_path_factory.mktemp("canary") / "platform")
    try:
        platform.start()
        assert platform.ask("create", "secret", "DB_PASSWORD", stdin=VALUE).returncode == 0
        assert platform.ask("create", "secret", "KEY", stdin=KEY).returncode == 0
        yield platform
        platform.stop()
        assert_found_nowhere(platform, "")
    finally:
        platform.destroy()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "canary.py"
    path.write_text(PROGRAM)
    return path


def run(platform: PlatformUnderTest, program: Path, task: str) -> subprocess.CompletedProcess[str]:
    """Runs a task, in a run of its name, and shows what it prints while it does."""
    return platform.flyte("run", "--name", task.replace("_", "-"), "--follow", program.name, task, cwd=program.parent)


def everything_shown(platform: PlatformUnderTest, name: str) -> str:
    """What the platform tells of a run that is over."""
    commands = (
        ("get", "logs", name, "--all"),
        ("get", "run", name, "--json"),
        ("get", "action", name, "a0", "--explain"),
        ("get", "action", name, "--json"),
        ("get", "io", name),
    )
    answers = [platform.ask(*command) for command in commands]
    return "".join(answer.stdout + answer.stderr for answer in answers)


def assert_found_nowhere(platform: PlatformUnderTest, shown: str) -> None:
    """Fails if a form of a value is in what was shown, or in any file of the platform."""
    found = sightings("shown", shown.encode()) + sightings("said", platform.said.encode())
    for name, content in all_files(platform.data).items():
        found += sightings(name, content)
    assert found == []


def test_the_search_finds_a_canary(own_platform: PlatformUnderTest, tmp_path: Path) -> None:
    for form in FORMS:
        assert sightings("here", b"before" + form + b"after")
    # A task that is handed the value as an ordinary variable keeps nothing secret, and the search sees it.
    open_program = tmp_path / "open.py"
    open_program.write_text(
        "import os, flyte\nenv = flyte.TaskEnvironment('open')\n"
        "@env.task\ndef shows() -> None:\n    print('plain-' + os.environ['WORD'])\n"
    )
    own_platform.flyte("run", "--env", "WORD=canary-in-the-open", "open.py", "shows", cwd=tmp_path)
    files = all_files(own_platform.data)
    assert [name for name, content in files.items() if name.endswith(".log") and b"plain-canary-in-the-open" in content]
    assert {"platform.log", "scheduler.db", "admin.db"} <= files.keys()


def test_no_way_of_printing_shows_a_secret(own_platform: PlatformUnderTest, program: Path) -> None:
    answer = run(own_platform, program, "prints")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    # What came past the capture is known to be in the log when the worker has ended, which is after its attempt.
    worker = re.search(r"^worker (\d+)$", own_platform.ask("get", "logs", "prints").stdout, re.MULTILINE)
    assert worker is not None
    assert_ended([int(worker[1])], within_s=20.0)
    shown = everything_shown(own_platform, "prints")
    assert_found_nowhere(own_platform, answer.stdout + answer.stderr + shown)
    doors = ("print", "stderr", "logging", "descriptor", "descriptor-2", "program", "fork", "libc")
    assert [door for door in doors if f"{door} [secret]" not in shown] == [], shown


def test_a_warm_replica_shows_no_secret(own_platform: PlatformUnderTest, program: Path) -> None:
    answer = run(own_platform, program, "prints_warm")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "print [secret]" in own_platform.ask("get", "logs", "prints-warm").stdout
    assert_found_nowhere(own_platform, answer.stdout + answer.stderr + everything_shown(own_platform, "prints-warm"))


@pytest.mark.parametrize("task", ["fails", "fails_warm", "passes_on", "exits"])
def test_no_failure_tells_a_secret(own_platform: PlatformUnderTest, program: Path, task: str) -> None:
    answer = run(own_platform, program, task)
    assert answer.returncode == 1
    shown = everything_shown(own_platform, task.replace("_", "-"))
    assert "[secret]" in shown
    assert_found_nowhere(own_platform, answer.stdout + answer.stderr + shown)


def test_a_worker_that_crashes_tells_no_secret(own_platform: PlatformUnderTest, program: Path) -> None:
    answer = run(own_platform, program, "crashes")
    assert answer.returncode == 1
    shown = everything_shown(own_platform, "crashes")
    assert "last words [secret]" in shown
    assert "Segmentation fault" in shown
    assert_found_nowhere(own_platform, answer.stdout + answer.stderr + shown)
