"""What the platform offers, used on a real platform the way a program would."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import secrets
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.announcements import Announcements
from tests.support.canary import files_below
from tests.support.ledger import Ledger
from tests.support.platform import PlatformUnderTest
from tests.support.processes import assert_ended
from tests.system.conftest import PROGRAMS
from tests.system.programs import features

import flyte
import flyte.errors
from flyte.io import File
from flyte.models import ActionPhase
from flyte.remote import Action, ActionDetails, Run
from flyteapi.common.v1 import phase_pb2

pytestmark = pytest.mark.usefixtures("shared")

STARTING = (ActionPhase.QUEUED, ActionPhase.INITIALIZING, ActionPhase.RUNNING)


def result_of(task: object, *inputs: object) -> object:
    """Runs a task to its end and returns its output."""
    return flyte.run(task, *inputs).outputs()[0]


class TestCalls:
    def test_records_models_lists_and_dicts_arrive_as_they_were_sent(self) -> None:
        assert result_of(features.all_types) == []

    def test_the_fields_of_a_named_tuple_are_outputs(self) -> None:
        assert flyte.run(features.named, 5).outputs() == (5, "5")

    def test_a_synchronous_task_calls_synchronous_tasks(self) -> None:
        assert result_of(features.synchronous_parent, 3) == 14

    def test_children_of_both_kinds_are_gathered_in_order(self) -> None:
        assert result_of(features.gathers, 6) == [0, 2, 6, 6, 12, 10]

    def test_a_map_gives_results_in_the_order_of_its_inputs(self) -> None:
        assert result_of(features.maps, 5) == [0, 2, 4, 6, 8]

    def test_failures_of_a_map_are_results(self) -> None:
        names = result_of(features.maps_with_failures, 5)
        assert isinstance(names, list)
        assert names[:3] == ["int"] * 3
        assert names[3].endswith("Error")
        assert names[4] == "int"

    def test_an_override_holds_for_its_call_alone_and_empty_is_a_value(self) -> None:
        assert result_of(features.overridden) == [
            {"LEVEL": "environment", "KEPT": "yes"},
            {"LEVEL": "override"},
            {},
        ]

    def test_retries_of_an_override_are_kept(self, ledger: Ledger) -> None:
        assert result_of(features.retried_by_override, ledger.path) == 3
        assert len(ledger.entries()) == 3

    def test_variables_of_a_run_reach_its_tasks_and_those_of_the_task_win(self) -> None:
        run = flyte.with_runcontext(env_vars={"LEVEL": "run", "OF_RUN": "1"}).run(
            features.variables, ["LEVEL", "OF_RUN"]
        )
        assert run.outputs()[0] == {"LEVEL": "environment", "OF_RUN": "1"}


class TestCache:
    def test_the_second_run_is_read_from_the_cache(self, ledger: Ledger) -> None:
        assert result_of(features.costly_parent, 3, ledger.path) == 5
        second = flyte.run(features.costly_parent, 3, ledger.path)
        assert second.outputs()[0] == 5
        assert sorted(entry["n"] for entry in ledger.entries()) == [-1, 0, 1, 2]
        assert second.details().action_details.state.cache_status == phase_pb2.CACHE_STATUS_HIT
        assert len(list(Action.listall(second.name))) == 1

    def test_children_are_read_from_the_cache_of_another_run(self, ledger: Ledger) -> None:
        assert result_of(features.uncached_parent, 3, ledger.path) == 5
        assert result_of(features.uncached_parent, 4, ledger.path) == 14
        assert sorted(entry["n"] for entry in ledger.entries()) == [0, 1, 2, 3]

    def test_a_run_may_replace_or_leave_out_what_is_cached(self, ledger: Ledger) -> None:
        flyte.run(features.costly, 7, ledger.path).wait()
        for context in (
            flyte.with_runcontext(overwrite_cache=True),
            flyte.with_runcontext(disable_run_cache=True),
            flyte.with_runcontext(),
        ):
            assert context.run(features.costly, 7, ledger.path).outputs()[0] == 49
        assert len(ledger.entries()) == 3


class TestReuse:
    def test_tasks_share_a_process_and_its_module_globals(self) -> None:
        seen = result_of(features.counts_one_after_another, 4)
        assert isinstance(seen, list)
        assert len({pid for pid, _ in seen}) == 1
        calls = [count for _, count in seen]
        assert calls == list(range(calls[0], calls[0] + 4))

    def test_a_replica_serves_more_than_one_run(self) -> None:
        (first, _), (second, _) = (flyte.run(features.count_calls).outputs()[0:2] for _ in range(2))
        assert first == second

    def test_a_task_sees_nothing_of_the_one_before_it_on_the_replica(self) -> None:
        assert result_of(features.spoils_and_looks) is True


class TestFiles:
    def test_files_and_folders_go_in_and_come_out(self, tmp_path: Path) -> None:
        source = tmp_path / "said.txt"
        source.write_text("hello, wörld")
        shouted, total = flyte.run(features.files, File.from_local_sync(str(source)), 4).outputs()
        assert Path(shouted.download_sync(str(tmp_path / "back.txt"))).read_text() == "HELLO, WÖRLD".replace("Ö", "ö")
        assert total == 6

    def test_each_attempt_has_a_working_and_a_temporary_folder_of_its_own(self, shared: PlatformUnderTest) -> None:
        first, second = flyte.run(features.two_surroundings).outputs()[0]
        assert first["cwd"] != second["cwd"]
        assert first["temp"] != second["temp"]
        for one in (first, second):
            assert one["temp"] == one["TMPDIR"]
            assert Path(one["cwd"]).is_relative_to(shared.data)


class TestCommandLine:
    """`flyte run`, `get`, `logs` and `abort` as people type them."""

    def test_run_prints_the_result(self, shared: PlatformUnderTest) -> None:
        done = shared.flyte("run", "features.py", "named", "--n", "12", cwd=PROGRAMS)
        assert done.returncode == 0
        assert done.stderr.startswith("Look at http://")
        assert "12" in done.stdout
        assert "'12'" in done.stdout

    def test_a_run_that_fails_prints_the_users_traceback_and_says_so(self, shared: PlatformUnderTest) -> None:
        done = shared.flyte("run", "failing.py", "raises_with_cause", "--order", "4", cwd=PROGRAMS)
        assert done.returncode == 1
        assert 'File "failing.py"' in done.stderr
        assert "RuntimeError: no orders today" in done.stderr
        assert "flyte/" not in done.stderr

    def test_get_shows_runs_and_actions(self, shared: PlatformUnderTest) -> None:
        run = flyte.with_runcontext(labels={"team": "blue"}).run(features.gathers, 3)
        run.wait()
        one = json.loads(shared.ask("get", "run", run.name, "--json").stdout)
        assert (one["phase"], one["task"], one["labels"]) == ("SUCCEEDED", "features_parents.gathers", {"team": "blue"})
        listed = json.loads(shared.ask("get", "run", "--json", "--with-label", "team=blue").stdout)
        assert [other["run"] for other in listed] == [run.name]
        tree = json.loads(shared.ask("get", "action", run.name, "--json").stdout)
        assert [action["parent"] for action in tree] == ["", "a0", "a0", "a0"]
        assert {action["phase"] for action in tree} == {"SUCCEEDED"}
        shown = shared.ask("get", "action", run.name, tree[1]["action"]).stdout
        assert tree[1]["task"] in shown

    def test_logs_are_whole_and_there_after_the_process_is_gone(self, shared: PlatformUnderTest) -> None:
        run = flyte.run(features.talks, 200)
        run.wait()
        text = shared.ask("get", "logs", run.name).stdout
        printed = "".join(f"line {number}\n" for number in range(200))
        # What is written past Python takes another way and may come earlier or later than what is printed.
        for part in ("from a child process\n", "to the error stream, ö\n", "without an end"):
            assert part in text
            text = text.replace(part, "")
        assert text.rstrip("\n") == printed.rstrip("\n")

    def test_each_attempt_has_its_own_log(self, shared: PlatformUnderTest) -> None:
        run = flyte.run(features.talks_twice)
        run.wait()
        assert shared.ask("get", "logs", run.name, "--attempt", "1").stdout == "attempt 1\n"
        assert shared.ask("get", "logs", run.name).stdout == "attempt 2\n"

    def test_followed_output_is_printed_before_the_result(self, shared: PlatformUnderTest) -> None:
        done = shared.flyte("run", "--follow", "features.py", "talks", "--lines", "2", cwd=PROGRAMS)
        lines = done.stdout.splitlines()
        assert [line for line in lines if line.startswith("line")] == ["line 0", "line 1"]
        assert lines[-1] == "o0 = 2"

    def test_abort_ends_a_run_and_says_why(self, shared: PlatformUnderTest, announcements: Announcements) -> None:
        run = flyte.run(features.waits, announcements.path)
        said = announcements.next()
        done = shared.ask("abort", "run", run.name, "--reason", "it is late")
        assert done.returncode == 0
        assert_ended([said["pid"]])
        run.wait()
        assert run.phase is ActionPhase.ABORTED
        assert "it is late" in shared.ask("get", "run", run.name).stdout
        with pytest.raises(flyte.errors.ActionAbortedError, match="it is late"):
            run.outputs()
        again = shared.ask("abort", "run", run.name)
        assert again.returncode == 0
        assert "ABORTED" in again.stdout


class TestSecrets:
    VALUE = f"s3cret-{secrets.token_hex(12)}"

    @pytest.fixture
    def secret(self, shared: PlatformUnderTest) -> str:
        shared.ask("delete", "secret", "SYSTEM_TEST_SECRET")
        made = shared.ask("create", "secret", "SYSTEM_TEST_SECRET", stdin=self.VALUE)
        assert made.returncode == 0, made.stderr
        assert self.VALUE not in made.stdout + made.stderr
        return self.VALUE

    def test_a_secret_reaches_the_task_that_asks_for_it_and_no_file(
        self, shared: PlatformUnderTest, secret: str
    ) -> None:
        run = flyte.run(features.reads_secret)
        assert run.outputs()[0] == len(secret)
        assert result_of(features.cannot_see_secret) == "nothing"
        log = shared.ask("get", "logs", run.name).stdout
        assert log.startswith("the secret is ")
        assert secret not in log
        listed = shared.ask("get", "secret").stdout
        assert "SYSTEM_TEST_SECRET" in listed
        assert secret not in listed
        forms = [secret.encode(), *encoded(secret.encode()), secret.encode().hex().encode()]
        holding = [name for name, content in files_below(shared.data) if any(form in content for form in forms)]
        assert not holding

    def test_a_secret_that_is_not_there_is_an_error_that_names_it(self) -> None:
        run = flyte.run(features.needs_missing_secret)
        run.wait()
        error = run.error()
        assert error is not None
        assert "SECRET_THAT_IS_NOT_THERE" in str(error)


def encoded(value: bytes) -> list[bytes]:
    """What stands in a file for each of the three ways in which base64 may meet the value."""
    found = []
    for before in range(3):
        text = base64.b64encode(b"x" * before + value)
        found.append(text[4 if before else 0 : -4])
    return found


def test_memory_over_the_limit_ends_the_task_and_says_what_to_do() -> None:
    assert result_of(features.uses_memory, 20) == 20 * 1024 * 1024
    run = flyte.run(features.uses_memory, 900)
    run.wait()
    error = run.error()
    assert error is not None
    assert "memory" in str(error).lower()
    assert run.phase is ActionPhase.FAILED


def test_labels_and_the_task_of_a_run_are_found_again() -> None:
    run = flyte.with_runcontext(name="findable").run(features.double, 4)
    run.wait()
    found = Run.get("findable")
    assert found.task_name == "features.double"
    assert found.inputs() == {"n": 4}
    assert found.outputs()[0] == 8


class TestLookingBack:
    def test_the_phases_of_each_attempt_are_told_with_their_times(self, ledger: Ledger) -> None:
        run = flyte.run(features.retried_by_override, ledger.path)
        run.wait()
        child = next(action for action in Action.listall(run.name) if action.relation == "child")
        details = child.details()
        transitions = details.get_phase_transitions()
        assert [(one.attempt, one.phase) for one in transitions] == [
            *((attempt, phase) for attempt in (1, 2, 3) for phase in STARTING),
            (3, ActionPhase.SUCCEEDED),
        ]
        assert all(earlier.end_time == later.start_time for earlier, later in pairwise(transitions))
        assert details.running_time == sum((one.duration for one in transitions[2::3]), timedelta(0))
        assert details.waiting_for_resources_time is None
        assert details.logs_available(3)
        assert not details.logs_available(4)

    def test_lines_of_the_task_s_logger_are_in_its_log_as_the_run_asks_for(self, shared: PlatformUnderTest) -> None:
        quiet = flyte.run(features.logs, 1)
        quiet.wait()
        loud = flyte.with_runcontext(user_log_level=logging.DEBUG, log_format="json").run(features.logs, 2)
        loud.wait()
        again = flyte.run(features.logs, 3)
        again.wait()
        [line] = quiet.get_logs()
        assert line.endswith("INFO info 1")
        fields = [json.loads(line) for line in loud.get_logs()]
        assert [(one["level"], one["message"]) for one in fields] == [("debug", "debug 2"), ("info", "info 2")]
        assert fields[0]["run"] == loud.name
        [line] = again.get_logs()
        assert line.endswith("INFO info 3"), "what a run asks for holds for its own tasks, on a warm replica too"

    def test_a_watch_ends_with_the_action(self) -> None:
        run = flyte.run(features.double, 4)
        seen = list(ActionDetails.watch(run.details().action_id))
        assert seen[-1].phase is ActionPhase.SUCCEEDED
        assert run.output_literals()["o0"].int == 8
        assert run.input_literals()["n"].int == 4

    def test_the_code_of_a_run_is_downloaded(self, shared: PlatformUnderTest, tmp_path: Path) -> None:
        run = flyte.run(features.double, 4)
        folder = run.download_code(tmp_path / "code")
        assert (folder / "features.py").read_bytes() == (PROGRAMS / "features.py").read_bytes()
        assert run.code_bundle().computed_version == run.details().task.entrypoint.bundle_digest
        with pytest.raises(FileExistsError, match="is not empty"):
            run.download_code(folder)
        assert "features.py" in shared.ask("get", "code", run.name).stdout.splitlines()
        archive = Action.get(run_name=run.name).download_code(tmp_path, extract=False)
        assert hashlib.sha256(archive.read_bytes()).hexdigest() == run.code_bundle().computed_version


class TestReports:
    def test_the_report_of_each_attempt_is_kept(self, shared: PlatformUnderTest, tmp_path: Path) -> None:
        run = flyte.run(features.writes_a_report, True)
        run.wait()
        assert "<b>attempt 1</b>" in run.get_report()
        assert "<b>attempt 0</b>" in run.get_report(attempt=1)
        assert "attempt 1" not in run.get_report(attempt=1)
        page = tmp_path / "report.html"
        assert shared.ask("get", "report", run.name, "--output", str(page)).returncode == 0
        assert page.read_text() == run.get_report()

    def test_a_run_without_a_report_says_so(self, shared: PlatformUnderTest) -> None:
        run = flyte.run(features.named, 5)
        run.wait()
        with pytest.raises(flyte.errors.RuntimeUserError, match=r"has no report\. Its task has none"):
            run.get_report()
        with pytest.raises(flyte.errors.RuntimeUserError, match="has no attempt 7"):
            run.get_report(attempt=7)


class TestDeployedTasks:
    @pytest.fixture(autouse=True)
    def _deployed(self, shared: PlatformUnderTest) -> None:
        program = str(PROGRAMS / "deployed.py")
        assert shared.flyte("deploy", "--root-dir", str(PROGRAMS), program).returncode == 0

    def test_a_task_calls_deployed_tasks_by_name_and_a_retry_finds_their_results(self) -> None:
        run = flyte.run(features.calls_by_name, 3)
        run.wait()
        assert run.outputs()[0] == [6, 8, 30]
        children = [action for action in Action.listall(run.name) if action.parent_name == "a0"]
        assert [child.task_name for child in children] == ["deployed.double"] * 3

    def test_a_synchronous_task_calls_a_deployed_task(self) -> None:
        assert result_of(features.calls_by_name_synchronously, 4) == 8

    def test_a_deployed_task_knows_its_version_and_calls_others_of_it(self, shared: PlatformUnderTest) -> None:
        words = ("--root-dir", str(PROGRAMS), str(PROGRAMS / "deployed.py"))
        assert shared.flyte("deploy", "--version", "v7", *words).returncode == 0
        assert shared.flyte("deploy", "--version", "v8", *words).returncode == 0
        task = flyte.remote.Task.get("deployed.calls_its_own_version", version="v7")
        run = flyte.run(task, x=2)
        run.wait()
        assert run.outputs() == ("v7", 4)
        again = flyte.rerun(run.name)
        again.wait()
        assert again.outputs() == ("v7", 4)
        actions = list(Action.listall(again.name, sort_by=("task_name", "desc")))
        assert [one.task_name for one in actions] == ["deployed.double", "deployed.calls_its_own_version"]
        assert all(one.details().runtime >= timedelta(0) for one in actions)

    def test_a_deployed_task_is_run_with_other_settings(self) -> None:
        details = flyte.remote.Task.get("deployed.double", auto_version="latest").fetch()
        run = flyte.run(details.override(env_vars={"FACTOR": "5"}), x=2)
        run.wait()
        assert run.outputs()[0] == 10
        with pytest.raises(ValueError, match="cannot be overridden"):
            details.override(links=())

    def test_outside_of_a_task_it_cannot_be_called(self) -> None:
        with pytest.raises(flyte.errors.RemoteTaskUsageError, match="inside of a task"):
            flyte.remote.Task.get("deployed.double", auto_version="latest")(3)
