"""A run that waits for a person, answered from standard input."""

import flyte

env = flyte.TaskEnvironment(name="conditions")


@env.task
async def main() -> str:
    approval = await flyte.new_condition.aio("approve", prompt="Go on?", data_type=bool)
    approved = await approval.wait.aio()
    return "went on" if approved else "stopped"


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(main).outputs()[0] == "went on"
