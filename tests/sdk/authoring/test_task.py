"""The decorator and overrides: settings of a task and the rules of reuse."""

import copy
import functools
import pickle
import threading
from typing import Any

import cloudpickle
import pytest

import flyte
from flyte.spec.limits import MAX_INLINE_IO_BYTES
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.resolve import Level


async def work(x: int) -> int:
    """Do the work.

    And more of it.
    """
    return x


def sync_work(x: int) -> int:
    return x


def task_of(*, decorator: Any = None, func: Any = work, **environment: Any) -> Any:
    return flyte.TaskEnvironment("env", **environment).task(**(decorator or {}))(func)


def test_a_plain_task_has_the_defaults_of_the_specification() -> None:
    task = task_of()
    assert (task.name, task.short_name, task.parent_env_name) == ("env.work", "work", "env")
    assert task.parent_env() is task.environment
    assert (task.retries.count, task.timeout, task.cache.behavior) == (0, 0, "disable")
    assert (task.report, task.interruptible, task.queue, task.reusable) == (False, False, None, None)
    assert task.max_inline_io_bytes == MAX_INLINE_IO_BYTES == 100 * 1024 * 1024
    assert task.docs.short_description == "Do the work."
    assert task.__doc__ == work.__doc__
    assert task.is_async
    assert not task_of(func=sync_work).is_async


def test_both_spellings_of_the_friendly_name_are_one_parameter() -> None:
    assert task_of(decorator={"name": "Hi"}).short_name == "Hi"
    assert task_of(decorator={"short_name": "Hi"}).name == "env.work"
    with pytest.raises(TypeError, match="two spellings"):
        task_of(decorator={"name": "a", "short_name": "b"})


def test_the_decorator_replaces_what_the_environment_says() -> None:
    task = task_of(
        decorator={
            "cache": "auto",
            "secrets": [],
            "resources": flyte.Resources(cpu=2),
            "task_queue": "d",
            "pod_template": "p",
        },
        cache="disable",
        secrets="a",
        resources=flyte.Resources(cpu=1),
        queue="e",
        pod_template="q",
        env={"A": "1"},
    )
    assert (task.cache.behavior, task.secrets, task.queue, task.pod_template) == ("auto", [], "d", "p")
    assert task.resources == flyte.Resources(cpu=2)
    assert task.settings.resources.level is Level.DECORATOR
    assert task.settings.env_vars.level is Level.ENVIRONMENT
    assert task.settings.image.level is Level.DEFAULT


def test_a_setting_that_is_assigned_to_the_environment_later_counts() -> None:
    environment = flyte.TaskEnvironment("env")
    environment.image = "other"
    task = environment.task(work)
    assert (task.image, task.settings.image.level) == ("other", Level.ENVIRONMENT)


def test_docs_may_be_text_or_documentation() -> None:
    assert task_of(decorator={"docs": "text"}).docs == "text"
    assert task_of(decorator={"docs": flyte.Documentation("d")}).docs == flyte.Documentation("d")
    assert task_of(func=sync_work).docs is None


@pytest.mark.parametrize(
    ("override", "attribute", "value"),
    [
        ({"retries": 0}, "retries", flyte.RetryStrategy(0)),
        ({"timeout": 0}, "timeout", 0),
        ({"env": {}}, "env_vars", {}),
        ({"env_vars": {}}, "env_vars", {}),
        ({"secrets": []}, "secrets", []),
        ({"max_inline_io_bytes": 0}, "max_inline_io_bytes", 0),
        ({"interruptible": False}, "interruptible", False),
        ({"cache": "disable"}, "cache", flyte.Cache("disable").behavior),
        ({"task_queue": "p"}, "queue", "p"),
        ({"short_name": "s"}, "short_name", "s"),
    ],
)
def test_an_override_replaces_also_with_empty_and_zero_values(override: Any, attribute: Any, value: Any) -> None:
    task = task_of(
        decorator={"retries": 5, "timeout": 30, "max_inline_io_bytes": 7, "cache": "auto"},
        env={"A": "1"},
        secrets="a",
        interruptible=True,
    )
    before = getattr(task, attribute)
    changed = task.override(**override)
    result = getattr(changed, attribute)
    assert (result.behavior if attribute == "cache" else result) == value
    assert getattr(task, attribute) == before
    assert getattr(changed.settings, attribute).level is Level.OVERRIDE


def test_what_is_not_given_and_none_stay_as_they_are() -> None:
    task = task_of(decorator={"retries": 5}, env={"A": "1"})
    changed = task.override(retries=None, env_vars=None, resources=None).with_overrides(timeout=3)
    assert (changed.retries.count, changed.env_vars, changed.timeout) == (5, {"A": "1"}, 3)
    assert changed.settings.retries.level is Level.DECORATOR


def test_overrides_add_up_and_the_last_one_wins() -> None:
    task = task_of().override(retries=1, queue="a").override(queue="b")
    assert (task.retries.count, task.queue) == (1, "b")


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("name", "Name cannot be overridden"),
        ("image", "Image cannot be overridden"),
        ("docs", "Docs cannot be overridden"),
        ("interface", "Interface cannot be overridden"),
        ("pod_template", "pod_template cannot be overridden. Set it in the TaskEnvironment or @env.task."),
        ("report", "report cannot be overridden. Set it in @env.task."),
        ("depends_on", "depends_on cannot be overridden. Set it in the TaskEnvironment."),
        ("description", "description cannot be overridden. Set it in the TaskEnvironment."),
        ("triggers", "triggers cannot be overridden. Set it in @env.task."),
    ],
)
def test_what_cannot_be_overridden_says_where_it_is_set(parameter: Any, message: Any) -> None:
    with pytest.raises(InvalidSetting) as refused:
        task_of().override(**{parameter: "x"})
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("override", "word"),
    [
        ({"resources": flyte.Resources(cpu=1)}, "resources"),
        ({"env": {}}, "env"),
        ({"secrets": []}, "secrets"),
        ({"service_account": "x"}, "service_account"),
    ],
)
def test_reused_containers_keep_their_settings_unless_reuse_is_off(override: Any, word: Any) -> None:
    task = task_of(reusable=flyte.ReusePolicy())
    message = (
        f"Cannot override {word} when reusable is set. Reusable tasks will use the parent env's {word}. "
        f"You can disable reusability and override {word} if needed. (set reusable='off')"
    )
    with pytest.raises(ValueError, match="Cannot override") as refused:
        task.override(**override)
    assert str(refused.value) == message
    with pytest.raises(ValueError, match="Cannot override"):
        task_of().override(reusable=flyte.ReusePolicy(), **override)
    assert task.override(reusable="off", **override).reusable is None


def test_execution_settings_may_change_while_containers_are_reused() -> None:
    task = task_of(reusable=flyte.ReusePolicy()).override(cache="auto", retries=1, timeout=2, queue="q", short_name="s")
    assert task.reusable == flyte.ReusePolicy()


@pytest.mark.parametrize(
    ("decorator", "message"),
    [
        ({"pod_template": "p"}, "Cannot set pod_template when environment is reusable."),
        ({"service_account": "s"}, "Cannot override service_account when environment is reusable."),
        ({"secrets": "s"}, "Cannot override secrets when environment is reusable."),
        ({"resources": flyte.Resources()}, "Cannot override resources when environment is reusable."),
    ],
)
def test_the_decorator_cannot_change_reused_containers(decorator: Any, message: Any) -> None:
    with pytest.raises(ValueError, match="Cannot") as refused:
        task_of(decorator=decorator, reusable=flyte.ReusePolicy())
    assert str(refused.value) == message


def test_only_async_tasks_share_a_replica() -> None:
    assert task_of(reusable=flyte.ReusePolicy(concurrency=2)).reusable.concurrency == 2
    with pytest.raises(ValueError, match="only supported for async tasks"):
        task_of(func=sync_work, reusable=flyte.ReusePolicy(concurrency=2))
    with pytest.raises(ValueError, match="only supported for async tasks"):
        task_of(func=sync_work).override(reusable=flyte.ReusePolicy(concurrency=2))


def test_a_function_with_variable_parameters_is_refused() -> None:
    def variable(*args: int) -> None: ...

    def keyword(**kwargs: int) -> None: ...

    for func in (variable, keyword):
        with pytest.raises(ValueError, match="cannot have variable positional or keyword arguments"):
            task_of(func=func)


def test_a_function_whose_parameters_have_no_name_for_callers_is_refused() -> None:
    def positional(x: int, /) -> int:
        return x

    with pytest.raises(ValueError, match="by position only"):
        task_of(func=positional)


def test_a_task_is_made_of_a_function_and_once() -> None:
    environment = flyte.TaskEnvironment("e")
    for nothing in (3, functools.partial(work, 1), environment):
        with pytest.raises(TypeError, match="made of a function"):
            environment.task(nothing)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(ValueError, match="is a task already"):
        environment.task(environment.task(work))


def test_a_pickled_task_takes_no_sibling_along() -> None:
    environment, lock = flyte.TaskEnvironment("e"), threading.Lock()

    async def locked() -> bool:
        return lock.locked()

    environment.task(locked)
    taken = pickle.loads(cloudpickle.dumps(environment.task(work)))
    assert (taken.name, taken.parent_env_name, list(environment.tasks)) == ("e.work", "e", ["e.locked", "e.work"])


def test_an_unknown_parameter_is_refused_at_every_level() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'bogus'"):
        flyte.TaskEnvironment("e").task(bogus=1)(work)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="unexpected keyword argument 'bogus'"):
        task_of().override(bogus=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'bogus'"):
        flyte.TaskTemplate(name="x", bogus=1)


def test_a_plugin_makes_its_own_kind_of_task() -> None:
    from flyte.extend import AsyncFunctionTaskTemplate, TaskPluginRegistry

    class Config: ...

    class PluginTask(AsyncFunctionTaskTemplate[Any, Any, Any]): ...

    with pytest.raises(ValueError, match="No task plugin found for config type"):
        task_of(plugin_config=Config())
    TaskPluginRegistry.register(Config, PluginTask)
    task = task_of(plugin_config=Config())
    assert isinstance(task.override(retries=1), PluginTask)
    with pytest.raises(ValueError, match="Cannot set plugin_config"):
        task.override(reusable=flyte.ReusePolicy())


def test_the_strict_reading_of_a_task_names_what_cannot_be_kept() -> None:
    task = task_of(decorator={"timeout": "x"})
    assert task.timeout == "x"
    with pytest.raises(TypeError, match="Timeout must be an instance of"):
        task.checked()
    assert task_of(resources=flyte.Resources(cpu=1)).checked().resources.cpu_request_millis == 1000


def test_copies_share_the_interface_and_the_version() -> None:
    task = task_of(cache="auto")
    assert copy.copy(task).override(retries=1).interface is task.interface
    assert task.override(retries=1).cache_version() == task.cache_version() != ""
    assert task.source_file == __file__


def test_links_are_objects_that_give_a_link() -> None:
    with pytest.raises(InvalidSettingType, match=r"Expected links to be flyte\.Link objects, got 3"):
        flyte.TaskEnvironment("e").task(links=(3,))(lambda: None)
