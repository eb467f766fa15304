"""Links on tasks and a plugin with its own configuration and kind of task."""

from dataclasses import dataclass
from typing import Dict

import flyte
from flyte import Link
from flyte.extend import AsyncFunctionTaskTemplate, TaskPluginRegistry


@dataclass
class Console(Link):
    name: str = "console"

    def get_link(self, run_name, project, domain, context, parent_action_name, action_name, pod_name, **kwargs) -> str:
        return f"https://example.org/{run_name}/{action_name}"


@dataclass
class Engine:
    workers: int = 2


@dataclass(kw_only=True)
class EngineTask(AsyncFunctionTaskTemplate):
    plugin_config: Engine = None
    task_type: str = "engine"

    async def pre(self, *args, **kwargs) -> Dict[str, int]:
        return {"workers": self.plugin_config.workers}

    async def post(self, return_vals):
        return return_vals + 1


TaskPluginRegistry.register(Engine, EngineTask)

env = flyte.TaskEnvironment(name="links_and_plugins", plugin_config=Engine(workers=3))


@env.task(links=[Console()])
async def main(x: int) -> int:
    return x + flyte.ctx().data["workers"]


if __name__ == "__main__":
    flyte.init_from_config()
    assert isinstance(main, EngineTask) and main.plugin_config.workers == 3
    assert flyte.run(main, 1).outputs()[0] == 5
