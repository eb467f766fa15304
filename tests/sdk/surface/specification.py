"""The programs of the specification of the task configuration, letter by letter, in their order."""

GETTING_STARTED = """\
env = flyte.TaskEnvironment(name="hello_world")

@env.task
async def say_hello(data: str, lt: List[int]) -> str:
    ...
"""

THREE_LEVELS = '''\
import flyte

# Level 1: TaskEnvironment - Base configuration
env = flyte.TaskEnvironment(
    name="data_processing",
    resources=flyte.Resources(cpu=1, memory="512Mi"),
    cache="disable",
    secrets=flyte.Secret("db-credentials")
)

# Level 2: Decorator - Override some environment settings
@env.task(
    cache="auto",           # Overrides environment cache policy
    retries=3,              # Decorator-only parameter
    timeout=300,            # Decorator-only parameter
)
async def process_data(data_path: str) -> str:
    """Process data with custom cache and retry settings."""
    return f"Processed {data_path}"

@env.task
async def main_workflow() -> str:
    # Level 3: Invocation - Runtime overrides
    result = await process_data.override(
        resources=flyte.Resources(cpu=4, memory="2Gi"),  # Override environment resources
    )("input.csv")

    return result
'''

FULL_NAME = """\
env = flyte.TaskEnvironment(name="my_env")

@env.task
async def my_task(data: str) -> str:
    ...
"""

REUSE_OFF = """\
env = flyte.TaskEnvironment(
    name="my_env",
    resources=Resources(cpu=1),
    reusable=flyte.ReusePolicy(replicas=2, idle_ttl=300)
)

@env.task
async def my_task(data: str) -> str:
    ...

@env.task
async def main_workflow() -> str:
    # `my_task.override(resources=Resources(cpu=4))` will fail. Instead use:
    result = await my_task.override(reusable="off", resources=Resources(cpu=4))
"""

ENVIRONMENT_LEVEL = """\
env = flyte.TaskEnvironment(name="my_env", resources=flyte.Resources(cpu=1, memory="250Mi"))

@env.task
async def my_task(data: str) -> str:
    ...
"""

DECORATOR_LEVEL = """\
@env.task()
async def my_task(data: str) -> str:
    ...

@env.task(resources=flyte.Resources(cpu=2, memory="500Mi"))
async def my_big_task(data: str) -> str:
    ...

"""

DECORATOR_SIGNATURE = """\
def task(
        self,
        _func=None,
        *,
        name: Optional[str] = None,
        cache: Union[CacheRequest] | None = None,
        retries: Union[int, RetryStrategy] = 0,
        timeout: Union[timedelta, int] = 0,
        docs: Optional[Documentation] = None,
        secrets: Optional[SecretRequest] = None,
        pod_template: Optional[Union[str, "V1PodTemplate"]] = None,
        report: bool = False,
        max_inline_io_bytes: int = MAX_INLINE_IO_BYTES,
    ) -> Union[AsyncFunctionTaskTemplate, Callable[P, R]]
"""

ONE_ENVIRONMENT = """\
env = flyte.TaskEnvironment(name="hello_world")
"""

ONE_ENVIRONMENT_TASKS = """\
@env.task
async def say_hello(data: str, lt: List[int]) -> str:
    ...


@env.task
async def square(i: int = 3) -> int:
    ...


@env.task
async def hello_wf(data: str = "default string") -> str:
    ...
"""

TWO_ENVIRONMENTS = """\
env1 = flyte.TaskEnvironment(name="env1")
env2 = flyte.TaskEnvironment(name="env2", resources=flyte.Resources(cpu=1, memory="250Mi"))
"""

TWO_ENVIRONMENTS_TASKS = """\
@env1.task
async def say_hello(data: str, lt: List[int]) -> str:
    ...


@env2.task
async def square(i: int = 3) -> int:
    ...


@env1.task
async def hello_wf(data: str = "default string") -> str:
    ...
"""

INLINE_LIMIT = """\
import flyte

env = flyte.TaskEnvironment("x")

@env.task(max_inline_io_bytes=100*1024*1024)
async def foo():
   ...

@env.task
async def main():
   await foo.with_overrides(max_inline_io_bytes=1)()
"""
