"""A task as the version that the platform keeps."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import cloudpickle
import pytest
from tests.sdk.wire import sample_tasks
from tests.sdk.wire.sample_tasks import everything, plain, pooled, square

import flyte
from flyte.authoring.task import TaskTemplate
from flyte.spec.problems import InvalidSetting
from flyte.spec.task_rules import refuse_invalid_task
from flyte.wire.task_settings import plugin_config_to_json
from flyte.wire.task_spec import digest_of, task_to_proto


@dataclass
class Cluster:
    nodes: int


def local_task() -> TaskTemplate[Any, Any, Any]:
    """Returns a task that no module has."""

    @plain.task
    def inner(x: int) -> int:
        return x + 1

    task: TaskTemplate[Any, Any, Any] = inner
    return task


def test_every_setting_of_a_task_is_in_its_version() -> None:
    spec = task_to_proto(everything, bundle_digest="a" * 64)
    assert (spec.name, spec.environment, spec.short_name) == ("rich-env.everything", "rich-env", "everything")
    assert (spec.entrypoint.module, spec.entrypoint.attribute) == (sample_tasks.__name__, "everything")
    assert spec.image.uri.startswith("mine:")
    assert list(spec.image.python_packages) == ["numpy>=2", "rich"]
    assert list(spec.image.system_packages) == ["git"]
    resources = spec.resources
    assert (resources.cpu, resources.cpu_limit, resources.memory, resources.memory_limit) == ("0.5", "2", "1Gi", "2Gi")
    assert (resources.disk, resources.shared_memory) == ("10Gi", "auto")
    assert (resources.accelerator.device_class, resources.accelerator.device, resources.accelerator.quantity) == (
        *("GPU", "A100", 4),
    )
    assert dict(spec.env) == {"KEY": "value"}
    assert [(secret.key, secret.group, secret.env_var) for secret in spec.secrets] == [("token", "team", "TOKEN")]
    assert (spec.cache.enabled, len(spec.cache.version), spec.cache.serialize) == (True, 64, True)
    assert (list(spec.cache.ignored_inputs), spec.cache.max_age.seconds) == (["seed"], 3600)
    assert (spec.retries.count, spec.retries.backoff.factor, spec.retries.backoff.cap.seconds) == (3, 2.0, 30)
    bounds = spec.timeouts
    assert (bounds.max_runtime.seconds, bounds.max_queued_time.seconds, bounds.deadline.seconds) == (60, 30, 3600)
    assert (spec.report, spec.max_inline_io_bytes, spec.is_async, spec.queue) == (True, 1000, True, "fast")
    assert not spec.HasField("reuse")
    refuse_invalid_task(spec)


def test_a_version_tells_the_level_of_each_setting() -> None:
    levels = task_to_proto(everything.override(retries=1)).setting_levels
    assert {name: levels[name] for name in ("resources", "timeout", "retries")} == {
        "resources": "environment",
        "timeout": "decorator",
        "retries": "override",
    }
    assert "interruptible" not in levels


def test_a_plain_task_leaves_everything_to_the_platform() -> None:
    spec = task_to_proto(square)
    assert (spec.image.uri, spec.resources.cpu, spec.queue, spec.cache.enabled) == ("", "", "", False)
    assert not spec.timeouts.HasField("max_runtime")
    assert (spec.short_description, spec.is_async) == ("Square a number.", False)
    assert "It is not fast." in spec.long_description
    assert [(parameter.name, parameter.description) for parameter in spec.interface.inputs] == [("x", "the number")]
    refuse_invalid_task(spec)


def test_a_reuse_policy_is_in_the_version_and_gone_when_switched_off() -> None:
    reuse = task_to_proto(pooled).reuse
    assert (reuse.min_replicas, reuse.max_replicas, reuse.concurrency, reuse.idle_ttl.seconds) == (1, 4, 8, 300)
    assert reuse.scope == "global"
    assert not task_to_proto(pooled.override(reusable="off")).HasField("reuse")


def test_a_version_is_made_once_for_a_task_object() -> None:
    assert task_to_proto(square) is task_to_proto(square)
    assert digest_of(task_to_proto(square)) != digest_of(task_to_proto(square, bundle_digest="b" * 64))
    changed = square.override(retries=1)
    assert digest_of(task_to_proto(changed)) != digest_of(task_to_proto(square))
    assert task_to_proto(changed).entrypoint == task_to_proto(square).entrypoint


def test_a_module_can_be_known_to_workers_by_another_name() -> None:
    entrypoint = task_to_proto(square, module="app.tasks").entrypoint
    assert (entrypoint.module, entrypoint.attribute) == ("app.tasks", "square")


def test_a_task_under_another_name_in_its_module_is_found() -> None:
    module = sys.modules[sample_tasks.__name__]
    task = plain.task(short_name="x")(lambda_task := _function_named("hidden"))
    lambda_task.__module__ = module.__name__
    module.shown = task  # type: ignore[attr-defined]
    try:
        assert task_to_proto(task).entrypoint.attribute == "shown"
    finally:
        del module.shown


def test_a_task_that_no_module_has_travels_as_a_pickle() -> None:
    task = local_task()
    entrypoint = task_to_proto(task).entrypoint
    assert (entrypoint.module, entrypoint.attribute) == ("", "")
    assert cloudpickle.loads(entrypoint.pickled_task).forward(2) == 3
    refuse_invalid_task(task_to_proto(task))
    assert task_to_proto(task, pickled=b"given").entrypoint.pickled_task == b"given"


def test_a_setting_that_cannot_be_kept_is_refused_before_it_is_sent() -> None:
    with pytest.raises(InvalidSetting, match=r"resources\.memory"):
        task_to_proto(square.override(resources=flyte.Resources(memory="lots")))


def test_what_a_plugin_is_given_must_be_plain() -> None:
    assert plugin_config_to_json(Cluster(nodes=2)) == '{"nodes": 2}'
    assert plugin_config_to_json(None) == ""
    with pytest.raises(InvalidSetting, match="plugin_config"):
        plugin_config_to_json(object())


def test_a_pod_template_travels_by_name_or_by_value() -> None:
    assert task_to_proto(_with_template("gpu-pods")).pod_template.name == "gpu-pods"
    template = flyte.PodTemplate({"containers": [{"name": "main"}]}, primary_container_name="main", labels={"a": "b"})
    message = task_to_proto(_with_template(template)).pod_template
    assert message.primary_container == "main"
    assert '"labels": {"a": "b"}' in message.pod_template_json


def test_links_travel_with_what_is_only_known_of_an_action_left_open() -> None:
    class Dashboard:
        name = "dashboard"

        def get_link(self, run_name: str, action_name: str, **kwargs: Any) -> str:
            return f"https://example.com/{run_name}/{action_name}"

    (link,) = task_to_proto(square.override(links=(Dashboard(),))).links
    assert (link.name, link.url) == ("dashboard", "https://example.com/{{run}}/{{action}}")


def test_a_secret_wanted_as_variable_and_as_file_is_asked_for_twice() -> None:
    secret = flyte.Secret("key", mount="/etc/flyte/secrets", as_env_var="KEY")
    spec = task_to_proto(square.override(secrets=secret))
    assert [(asked.env_var, asked.mount_path) for asked in spec.secrets] == [("KEY", ""), ("", "/etc/flyte/secrets")]
    refuse_invalid_task(spec)


def _function_named(name: str) -> Any:
    def function() -> None: ...

    function.__name__ = function.__qualname__ = name
    return function


def _with_template(template: Any) -> Any:
    environment = flyte.TaskEnvironment("templated", pod_template=template)
    return environment.task(_function_named("task"))


def test_an_environment_ignores_inputs_that_some_of_its_tasks_have_and_a_task_only_its_own() -> None:
    environment = flyte.TaskEnvironment("noted", cache=flyte.Cache("auto", ignored_inputs=("note", "seed")))

    @environment.task
    def with_note(x: int, note: str) -> int:
        return x

    task: TaskTemplate[Any, Any, Any] = with_note
    assert list(task_to_proto(task).cache.ignored_inputs) == ["note"]
    own = task.override(cache=flyte.Cache("auto", ignored_inputs="nota"))
    with pytest.raises(InvalidSetting, match=r"names nota, which is no input of the task\. Its inputs are: x, note"):
        task_to_proto(own)
