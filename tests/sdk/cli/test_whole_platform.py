"""The command line against the platform itself, as processes: what a person does on the first day."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from tests.sdk.cli.conftest import Finished, within

from flyte.cli.main import main
from flyte.client.init import current_settings, set_settings

Command = Callable[..., Finished]

PROGRAM = """
import asyncio
import os

import flyte
import flyte.io

plain = flyte.TaskEnvironment(name="plain")
warm = flyte.TaskEnvironment(name="warm", reusable=flyte.ReusePolicy(replicas=1, concurrency=20, idle_ttl=60))
top = flyte.TaskEnvironment(name="top", depends_on=[plain, warm], env_vars={"COLOUR": "red"})


@warm.task
async def square(x: int) -> int:
    return x * x


@plain.task(retries=1)
def fail(x: int) -> int:
    print("before the failure")
    raise ValueError(f"no [bold]{x}[/bold]")


@top.task
async def main(n: int = 5) -> int:
    print("hello from main", os.environ["COLOUR"])
    squares: list[int] = await asyncio.gather(*(square(x) for x in range(n)))
    return sum(squares)


@top.task
async def broken(x: int = 1) -> int:
    return await fail.aio(x)


@top.task
async def size(file: flyte.io.File) -> int:
    async with file.open("rb") as stream:
        return len(await stream.read())


@top.task(secrets=[flyte.Secret("DB_PASSWORD")])
async def secret_length() -> int:
    return len(os.environ["DB_PASSWORD"])


@top.task(resources=flyte.Resources(cpu=1, memory="64Mi"))
async def huge() -> int:
    return 1


@top.task
async def wait_for_ever() -> None:
    print("waiting", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    flyte.init()
    print(flyte.run(main, n=4).outputs().o0)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the user works; the platform keeps its own below."""
    root = tmp_path_factory.mktemp("first-day")
    (root / "shop.py").write_text(PROGRAM)
    return root


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLYTE_")}
    return clean | {"FLYTE_PLATFORM_DATA": str(folder / "platform"), "HOME": str(folder)}


@pytest.fixture(scope="module")
def command(folder: Path, environment: dict[str, str]) -> Iterator[Command]:
    """Runs `flyte` in this process, which is as good as a process of its own and five times quicker."""
    path_before, settings_before = list(sys.path), current_settings()

    def run(*arguments: str) -> Finished:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as stopped:
            main(list(arguments))
        return Finished(int(stopped.value.code or 0), out.getvalue(), err.getvalue())

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in os.environ.keys() - environment.keys():
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        yield run
    set_settings(settings_before)
    sys.path[:] = path_before
    sys.modules.pop("shop", None)


@pytest.fixture(scope="module", autouse=True)
def platform(command: Command) -> Iterator[None]:
    """The platform, started by `flyte up` and stopped by `flyte down`."""
    started = command("up")
    assert started.code == 0, started.err
    yield
    stopped = command("down")
    assert stopped.code == 0, stopped.err
    assert "Stopped the platform" in stopped.out


def test_a_second_platform_on_the_folder_is_refused(command: Command) -> None:
    again = command("up")
    assert again.code == 1
    assert "runs on" in within(again.err)


def test_a_run_prints_its_outputs(command: Command) -> None:
    finished = command("run", "shop.py", "main", "--n", "6")
    assert (finished.code, finished.out) == (0, "o0 = 55\n")
    assert re.fullmatch(r"Look at http://127\.0\.0\.1:\d+/runs/flytesnacks/development/\w+\n", finished.err)


def test_a_script_runs_on_the_platform_of_this_machine(folder: Path, environment: dict[str, str]) -> None:
    finished = subprocess.run(
        [sys.executable, "shop.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (finished.stdout, finished.stderr) == ("14\n", "")


def test_a_failed_run_shows_the_users_traceback(command: Command) -> None:
    finished = command("run", "shop.py", "broken", "--x", "3")
    assert finished.code == 1
    assert finished.out == ""
    assert 'File "shop.py"' in finished.err
    assert "flyte/runner" not in finished.err
    assert within(finished.err).endswith("failed: ValueError: no [bold]3[/bold]")


def test_a_file_input_is_read_by_the_task(command: Command, folder: Path) -> None:
    (folder / "data.bin").write_bytes(b"x" * 1234)
    assert command("run", "shop.py", "size", "--file", "data.bin").out == "o0 = 1234\n"


def test_a_run_can_be_looked_at(command: Command) -> None:
    name = json.loads(command("run", "shop.py", "main", "--n", "3", "--json", "--label", "team=red").out)["run"]
    shown = json.loads(command("get", "run", name, "--json").out)
    assert (shown["phase"], shown["task"], shown["labels"]) == ("SUCCEEDED", "top.main", {"team": "red"})
    assert name in command("get", "run", "--with-label", "team=red").out
    actions = json.loads(command("get", "action", name, "--json").out)
    assert sorted(action["task"] for action in actions) == ["top.main", "warm.square", "warm.square", "warm.square"]
    assert "SUCCEEDED" in command("get", "action", name, "a0", "--explain").out
    assert command("get", "logs", name).out == "hello from main red\n"
    assert json.loads(command("get", "io", name).out) == {"inputs": {"n": 3}, "outputs": {"o0": 5}}
    assert "warm" in command("get", "pool").out


def test_a_run_is_submitted_and_aborted(command: Command) -> None:
    name = command("run", "shop.py", "wait_for_ever", "--no-wait").out.strip()
    aborted = command("abort", "run", name, "--reason", "enough")
    assert aborted.out == f"Run {name} is ABORTED.\n"
    shown = json.loads(command("get", "run", name, "--json").out)
    assert shown["phase"] == "ABORTED"


def started(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """The command, going on in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "flyte.cli", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_leaving_a_run_leaves_it_running(folder: Path, environment: dict[str, str], command: Command) -> None:
    process = started(folder, environment, "run", "shop.py", "wait_for_ever", "--follow", "--name", "left")
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "flyte abort run left" in stderr
    assert json.loads(command("get", "run", "left", "--json").out)["phase"] == "RUNNING"
    assert command("abort", "run", "left").code == 0


def test_deployed_tasks_run_by_name_and_runs_run_again(command: Command) -> None:
    deployed = command("deploy", "shop.py")
    assert deployed.code == 0, deployed.err
    assert "top.main" in deployed.out
    assert "(n: int = ...) -> int" in command("get", "task").out
    explained = json.loads(command("get", "task", "top.main", "--explain", "--json").out)["settings"]
    assert explained["env_vars"] == {"value": {"COLOUR": "red"}, "level": "environment"}
    assert explained["retries"] == {"value": {"count": 0}, "level": "default"}
    assert "Did you mean top.main?" in command("run", "deployed-task", "main").err
    assert "version 'v99'" in command("run", "--version", "v99", "deployed-task", "top.main").err
    assert "give one of them" in command("run", "--version", "v99", "deployed-task", "top.main@v1").err
    run = json.loads(command("run", "--json", "deployed-task", "top.main", "--n", "2").out)
    assert run["outputs"] == {"o0": 1}
    again = command("rerun", run["run"])
    assert (again.code, again.out) == (0, "o0 = 1\n")
    changed = command("rerun", run["run"], "--n", "3", "--recover", "--force", "a0")
    assert (changed.code, changed.out) == (0, "o0 = 5\n"), changed.err
    assert "is not a valid integer" in command("rerun", run["run"], "--n", "x").err
    assert "No such option" in command("rerun", run["run"], "--nothing", "x").err
    watched = command("get", "run", run["run"], "--watch", "--json").out.splitlines()
    events = [json.loads(line) for line in watched]
    assert [event["sequence"] for event in events[:-1]] == list(range(1, len(events)))
    assert (events[-2]["action"], events[-2]["phase"], events[-1]["phase"]) == ("a0", "SUCCEEDED", "SUCCEEDED")
    assert "a0  SUCCEEDED" in command("get", "run", run["run"], "--watch").out


def test_a_secret_reaches_the_task_that_names_it_and_nobody_else(command: Command, folder: Path) -> None:
    (folder / "password").write_bytes(b"correct horse")
    assert command("create", "secret", "DB_PASSWORD", "--from-file", "password").code == 0
    run = json.loads(command("run", "shop.py", "secret_length", "--json").out)
    assert run["outputs"] == {"o0": 13}
    shown = command("get", "secret").out + command("get", "secret", "DB_PASSWORD", "--json").out
    assert "DB_PASSWORD" in shown
    assert "correct horse" not in shown + command("get", "action", run["run"], "a0", "--explain", "--json").out
    (folder / "password").write_bytes(b"longer than before")
    assert "version 2" in command("update", "secret", "DB_PASSWORD", "--from-file", "password").out
    assert json.loads(command("run", "shop.py", "secret_length", "--json").out)["outputs"] == {"o0": 18}
    assert command("delete", "secret", "DB_PASSWORD").code == 0
    missing = command("run", "shop.py", "secret_length")
    assert missing.code == 1
    assert "flyte create secret DB_PASSWORD" in missing.err


def test_projects_are_made_and_archived(command: Command) -> None:
    assert command("create", "project", "second", "--name", "Second").code == 0
    assert "Second" in command("get", "project").out
    assert command("run", "-p", "second", "shop.py", "main", "--n", "2").out == "o0 = 1\n"
    assert command("update", "project", "second", "--archive").code == 0
    refused = command("run", "-p", "second", "shop.py", "main")
    assert refused.code == 1
    assert "second" in refused.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("get", "run", "nowhere"), "nowhere"),
        (("get", "action", "nowhere"), "nowhere"),
        (("get", "logs", "nowhere"), "nowhere"),
        (("get", "task", "a.b"), "a.b"),
        (("abort", "run", "nowhere"), "nowhere"),
        (("rerun", "nowhere"), "nowhere"),
        (("run", "deployed-task", "a.b"), "a.b"),
        (("run", "-p", "nowhere", "shop.py", "main"), "nowhere"),
    ],
)
def test_what_is_not_there_is_one_clear_error(command: Command, arguments: tuple[str, ...], words: str) -> None:
    finished = command(*arguments)
    assert finished.code == 1
    assert finished.err.startswith("╭─ Error ")
    assert words in finished.err
    assert "Traceback" not in finished.err


def test_the_caller_and_the_platform_are_shown(command: Command, folder: Path) -> None:
    shown = json.loads(command("whoami", "--json").out)
    assert shown["endpoint"].startswith("unix:")
    assert shown["platform"].startswith("embedded")


def test_a_queue_is_created_used_drained_and_deleted(command: Command) -> None:
    assert command("create", "queue", "side", "--action-concurrency", "1", "--depth", "9").code == 0
    used = command("run", "--queue", "side", "--name", "beside", "shop.py", "main", "--n", "2")
    assert used.code == 0, used.err
    tried = json.loads(command("get", "action", "beside", "a0", "--json").out)["attempts"]
    assert [(one["cluster"], one["resource_class"]) for one in tried] == [("local", "local")]
    assert "is drained" in command("drain", "queue", "side").out
    refused = command("run", "--queue", "side", "shop.py", "main")
    assert refused.code == 1
    assert "side" in refused.err
    assert "drain" in refused.err
    assert command("delete", "queue", "side").code == 0
    assert "there is no queue 'side'" in command("run", "--queue", "side", "shop.py", "main").err


def test_a_task_that_fits_no_resource_class_is_refused_with_the_classes_there_are(command: Command) -> None:
    assert command("create", "resource-class", "tiny", "--cpu", "1", "--memory", "1Mi").code == 0
    try:
        refused = command("run", "shop.py", "huge")
    finally:
        assert command("delete", "resource-class", "tiny").code == 0
    assert refused.code == 1
    assert "tiny" in refused.err
    assert command("run", "shop.py", "main", "--n", "1").code == 0


def test_runs_are_found_by_version_label_and_last_change(command: Command) -> None:
    labels = ("--label", "kind=audit", "--version", "v7")
    assert command("run", "--name", "versioned", *labels, "shop.py", "main", "--n", "1").code == 0

    def found(*conditions: str) -> set[str]:
        return {run["run"] for run in json.loads(command("get", "run", "--json", *conditions).out)}

    assert found("--task-version", "v7") == {"versioned"} == found("--with-label-key", "kind")
    assert "versioned" in found("--updated-after", "now - 1 hour", "--created-after", "today - 1 day")
    assert found("--updated-before", "now - 1 hour") == set() == found("--paused-only")
    assert json.loads(command("get", "run", "versioned", "--json").out)["version"] == "v7"
    assert command("get", "logs", "versioned", "--lines", "1").out == "hello from main red\n"
    assert "without the times" in (timed := command("get", "logs", "versioned", "--show-ts")).err
    assert (timed.code, timed.out) == (0, "hello from main red\n")
    assert command("get", "logs", "versioned", "--pretty", "--filter-system").out == "hello from main red\n"
    assert "no attempt 9: there was one" in command("get", "logs", "versioned", "--attempt", "9").err
    assert "action a99 of run" in command("rerun", "versioned", "--recover", "--force", "a99").err
    assert json.loads(command("get", "code", "versioned", "--json").out) == ["shop.py"]


def test_a_list_is_watched_until_somebody_has_seen_enough(
    folder: Path, environment: dict[str, str], command: Command
) -> None:
    assert command("run", "--name", "before", "shop.py", "main", "--n", "1").code == 0
    process = started(folder, environment, "get", "run", "--watch", "--json", "--limit", "1")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["run"] == "before"
    assert command("run", "--name", "beheld", "shop.py", "broken").code == 1
    seen = [json.loads(process.stdout.readline())]
    while seen[-1]["phase"] != "FAILED":
        seen.append(json.loads(process.stdout.readline()))
    assert {run["run"] for run in seen} == {"beheld"}
    assert "ValueError" in seen[-1]["error"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_script_that_knows_nothing_of_flyte_runs_in_a_fresh_folder(command: Command, folder: Path) -> None:
    (folder / "train.py").write_text(
        "import pathlib, sys\n"
        "print(pathlib.Path('data/words.txt').read_text(), *sys.argv[1:])\n"
        "pathlib.Path('model').mkdir()\n"
        "pathlib.Path('model/weights').write_text('42')\n"
        "sys.exit(int(sys.argv[1]))\n"
    )
    (folder / "data").mkdir()
    (folder / "data" / "words.txt").write_text("words")
    given = ("run", "--name", "script", "python-script", "train.py", "--include-files", "data", "--output-dir", "model")
    finished = command(*given, "--extra-args", "0,fast")
    assert finished.code == 0, finished.err
    assert "name='model'" in finished.out
    assert command("get", "logs", "script").out.strip() == "words 0 fast"
    assert "data/words.txt" in command("get", "code", "script").out
    # The same code in the same folder of a worker: what the first attempt wrote is not there.
    assert "ended with exit code 3" in command("run", *given[3:], "--extra-args", "3").err


def test_entrypoints_are_listed_by_themselves(command: Command, folder: Path) -> None:
    (folder / "front.py").write_text(
        "import flyte\nenv = flyte.TaskEnvironment('front')\n"
        "@env.task(entrypoint=True)\ndef door(x: int) -> int: return x\n"
        "@env.task\ndef inner(x: int) -> int: return x\n"
    )
    assert command("deploy", "front.py").code == 0
    listed = json.loads(command("get", "task", "--json").out)
    assert {"front.door", "front.inner"} <= {task["task"] for task in listed}
    assert [task["task"] for task in json.loads(command("get", "task", "--entrypoint", "--json").out)] == ["front.door"]
