"""Programs that list and look up what is on the platform, as far as they come without one."""

from datetime import datetime, timedelta, timezone

import flyte
import flyte.errors
import flyte.remote
from flyte.remote import Action, Project, Run, Secret, Task, TimeFilter, User, upload_dir, upload_file

env = flyte.TaskEnvironment(name="remote_names")


@env.task
async def main() -> None: ...


if __name__ == "__main__":
    flyte.init()
    task = flyte.remote.Task.get("remote_names.main", auto_version="latest")
    assert task.name == "remote_names.main"
    recent = TimeFilter(after=datetime.now(timezone.utc) - timedelta(days=1))
    questions = [
        lambda: list(
            Run.listall(in_phase=("running", "failed"), limit=5, created_at=recent, sort_by=("created_at", "desc"))
        ),
        lambda: Run.get("x"),
        lambda: Run.get(name="x").wait(),
        lambda: Action.get(run_name="x", name="a0"),
        lambda: list(Task.listall(by_task_name="x", limit=1)),
        lambda: list(Project.listall()),
        lambda: Project.get("p"),
        lambda: Secret.create("k", "v"),
        lambda: list(Secret.listall()),
        lambda: Secret.delete("k"),
        lambda: User.get(),
        lambda: upload_file(__file__),
        lambda: upload_dir("."),
        lambda: task.fetch(),
        lambda: list(flyte.remote.Trigger.listall()),
        lambda: flyte.rerun("x"),
        lambda: flyte.deploy(env),
    ]
    for question in questions:
        try:
            question()
        except flyte.errors.InitializationError as e:
            assert "flyte.init" in str(e)
        else:
            raise AssertionError("answered without a platform")
