"""A kind of task without a function, and an environment made of it."""

import flyte
from flyte.extend import TaskTemplate
from flyte.models import NativeInterface


class Greeting(TaskTemplate):
    def __init__(self, name: str, greeting: str, **kwargs):
        super().__init__(
            name=name,
            interface=NativeInterface.from_types({"who": (str, "world")}, {"o0": str}),
            **kwargs,
        )
        self.greeting = greeting

    async def execute(self, *args, **kwargs) -> str:
        return f"{self.greeting} {kwargs.get('who') or args[0]}"


hello = Greeting("hello", "Hello", retries=2)
env = flyte.TaskEnvironment.from_task("greetings", hello)
driver = flyte.TaskEnvironment("driver", depends_on=[env])


@driver.task
async def main() -> str:
    return await hello(who="you")


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(main).outputs()[0] == "Hello you"
    assert flyte.run(hello, who="me").outputs()[0] == "Hello me"
