"""The configuration of the repository that a program lies in."""

import subprocess
from pathlib import Path

import flyte
import flyte.git

env = flyte.TaskEnvironment(name="git_config")


@env.task
async def main() -> str:
    return flyte.current_project()


if __name__ == "__main__":
    subprocess.run(["git", "init", "-q"], check=True)
    Path(".flyte").mkdir()
    Path(".flyte/config.yaml").write_text("task:\n  project: of-the-repository\n  domain: development\n")
    flyte.init_from_config(flyte.git.config_from_root())
    assert flyte.run(main).outputs()[0] == "of-the-repository"
