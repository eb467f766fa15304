"""What the platform refuses in a task version, whoever sent it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.task_rules import refuse_invalid_task
from flyteapi.task.v1.task_spec_pb2 import Link, SecretRequest, TaskSpec

Change = Callable[[TaskSpec], object]


def valid() -> TaskSpec:
    """Returns a version with every kind of setting, all of them good."""
    spec = TaskSpec(name="my-env.my_task", environment="my-env", short_name="My task", is_async=True, queue="default")
    spec.entrypoint.bundle_digest = "0" * 64
    spec.entrypoint.module, spec.entrypoint.attribute = "app.tasks", "my_task"
    spec.interface.inputs.add(name="x", type_name="int", json_schema='{"type":"integer"}', required=True)
    spec.interface.outputs.add(name="o0", type_name="int", json_schema='{"type":"integer"}')
    spec.image.uri = "registry:5000/image@sha256:abc"
    spec.image.python_packages.extend(["numpy>=2", "pkg @ https://example.com/p.whl"])
    spec.image.system_packages.append("libssl-dev")
    spec.resources.cpu, spec.resources.cpu_limit, spec.resources.memory = "500m", "2", "1Gi"
    spec.resources.shared_memory = "auto"
    spec.resources.accelerator.device_class, spec.resources.accelerator.quantity = "GPU", 1
    spec.env["KEY"] = "value"
    spec.secrets.append(SecretRequest(key="token", env_var="TOKEN"))
    spec.secrets.append(SecretRequest(key="token", mount_path="/etc/flyte/secrets"))
    spec.cache.enabled, spec.cache.version = True, "v1"
    spec.cache.ignored_inputs.append("x")
    spec.cache.max_age.seconds = 60
    spec.retries.count, spec.retries.backoff.factor, spec.retries.backoff.cap.seconds = 3, 2.0, 60
    spec.timeouts.max_runtime.seconds = 60
    spec.reuse.max_replicas, spec.reuse.concurrency, spec.reuse.scope = 2, 4, "global"
    spec.reuse.idle_ttl.seconds = spec.reuse.scaledown_ttl.seconds = 30
    spec.pod_template.name = "gpu-pods"
    spec.service_account = "runner"
    spec.setting_levels["retries"] = "decorator"
    spec.plugin_config = "{}"
    spec.links.append(Link(name="docs", url="https://example.com"))
    return spec


def test_a_version_without_fault_is_accepted() -> None:
    refuse_invalid_task(valid())


def test_the_least_version_is_accepted() -> None:
    spec = TaskSpec(name="e.t", environment="e")
    spec.entrypoint.pickled_task = b"pickle"
    refuse_invalid_task(spec)


FAULTS: list[tuple[str, Change]] = [
    ("name", lambda spec: setattr(spec, "environment", "My Env")),
    ("name", lambda spec: setattr(spec, "name", "other.my_task")),
    ("name", lambda spec: setattr(spec, "name", "my-env.my task")),
    ("short_name", lambda spec: setattr(spec, "short_name", "two\nlines")),
    ("queue", lambda spec: setattr(spec, "queue", "-x")),
    ("service_account", lambda spec: setattr(spec, "service_account", "Not_DNS")),
    ("interface.inputs", lambda spec: setattr(spec.interface.inputs[0], "name", "not an identifier")),
    ("interface.inputs", lambda spec: spec.interface.inputs.add(name="x")),
    ("interface.inputs", lambda spec: setattr(spec.interface.inputs[0], "default_value", b"1")),
    ("interface.outputs.json_schema", lambda spec: setattr(spec.interface.outputs[0], "json_schema", "{")),
    ("entrypoint", lambda spec: setattr(spec.entrypoint, "pickled_task", b"both")),
    ("entrypoint", lambda spec: setattr(spec.entrypoint, "attribute", "")),
    ("entrypoint.module", lambda spec: setattr(spec.entrypoint, "module", "../escape")),
    ("entrypoint.bundle_digest", lambda spec: setattr(spec.entrypoint, "bundle_digest", "../../etc")),
    ("image", lambda spec: setattr(spec.image, "uri", "two words")),
    ("image.python_packages", lambda spec: spec.image.python_packages.append("--index-url=http://evil")),
    ("image.python_packages", lambda spec: spec.image.python_packages.append("a\nb")),
    ("image.python_installs.packages", lambda spec: spec.image.python_installs.add(packages=["--pre"])),
    ("image.python_installs.options", lambda spec: spec.image.python_installs.add(options=["a\nb"])),
    ("image.container_steps", lambda spec: spec.image.container_steps.append("a\nb")),
    ("image.system_packages", lambda spec: spec.image.system_packages.append("git; rm -rf /")),
    ("image.env_vars", lambda spec: spec.image.env.update({"LD_PRELOAD": "x.so"})),
    ("resources.cpu", lambda spec: setattr(spec.resources, "cpu", "-1")),
    ("resources.cpu", lambda spec: setattr(spec.resources, "cpu_limit", "100m")),
    ("resources.memory", lambda spec: setattr(spec.resources, "memory", "1GB")),
    ("resources.disk", lambda spec: setattr(spec.resources, "disk", "much")),
    ("resources.shm", lambda spec: setattr(spec.resources, "shared_memory", "much")),
    ("resources.gpu", lambda spec: setattr(spec.resources.accelerator, "quantity", 0)),
    ("resources.gpu", lambda spec: setattr(spec.resources.accelerator, "device_class", "QPU")),
    ("env_vars", lambda spec: spec.env.update({"1X": "y"})),
    ("env_vars", lambda spec: spec.env.update({"LD_PRELOAD": "x.so"})),
    ("env_vars", lambda spec: spec.env.update({"FLYTE_RUN_NAME": "x"})),
    ("env_vars", lambda spec: spec.env.update({"BIG": "x" * 300_000})),
    ("env_vars", lambda spec: spec.env.update({"TOKEN": "shared with a secret"})),
    ("secrets", lambda spec: setattr(spec.secrets[0], "mount_path", "/etc/flyte/secrets")),
    ("secrets.mount", lambda spec: setattr(spec.secrets[1], "mount_path", "/etc")),
    ("secrets.as_env_var", lambda spec: setattr(spec.secrets[0], "env_var", "PATH")),
    ("secrets.as_env_var", lambda spec: setattr(spec.secrets[0], "env_var", "lower")),
    ("secrets.key", lambda spec: setattr(spec.secrets[0], "key", "../../x")),
    ("cache.version", lambda spec: setattr(spec.cache, "version", "")),
    ("cache.ignored_inputs", lambda spec: spec.cache.ignored_inputs.append("z")),
    ("cache.max_age", lambda spec: setattr(spec.cache.max_age, "seconds", -1)),
    ("retries", lambda spec: setattr(spec.retries, "count", 1_001)),
    ("retries", lambda spec: setattr(spec.retries.backoff, "factor", 0.5)),
    ("retries", lambda spec: setattr(spec.retries.backoff, "factor", float("nan"))),
    ("retries", lambda spec: spec.retries.backoff.ClearField("cap")),
    ("retries.backoff.base", lambda spec: setattr(spec.retries.backoff.base, "seconds", 10**11)),
    ("timeout.max_runtime", lambda spec: setattr(spec.timeouts.max_runtime, "seconds", -1)),
    ("timeout.deadline", lambda spec: setattr(spec.timeouts.deadline, "seconds", 10**9)),
    ("reusable.replicas", lambda spec: setattr(spec.reuse, "min_replicas", 3)),
    ("reusable.replicas", lambda spec: setattr(spec.reuse, "max_replicas", 10_001)),
    ("reusable.concurrency", lambda spec: setattr(spec.reuse, "concurrency", 0)),
    ("reusable.concurrency", lambda spec: setattr(spec, "is_async", False)),
    ("reusable.idle_ttl", lambda spec: setattr(spec.reuse.idle_ttl, "seconds", 29)),
    ("reusable.scope", lambda spec: setattr(spec.reuse, "scope", "planet")),
    ("pod_template", lambda spec: setattr(spec.pod_template, "pod_template_json", "{}")),
    ("pod_template", lambda spec: setattr(spec.pod_template, "name", "Not DNS")),
    ("setting_levels", lambda spec: spec.setting_levels.update({"retries": "moon"})),
    ("plugin_config", lambda spec: setattr(spec, "plugin_config", "{")),
    ("links.url", lambda spec: setattr(spec.links[0], "url", "javascript:alert(1)")),
]


@pytest.mark.parametrize(("field", "change"), FAULTS, ids=[f"{n}-{field}" for n, (field, _) in enumerate(FAULTS)])
def test_a_fault_is_refused_with_its_field(field: str, change: Change) -> None:
    spec = valid()
    change(spec)
    with pytest.raises((ValueError, TypeError)) as refusal:
        refuse_invalid_task(spec)
    assert isinstance(refusal.value, InvalidSetting | InvalidSettingType)
    assert refusal.value.field == field
    assert str(refusal.value)


def test_a_pod_template_by_value_must_have_its_primary_container() -> None:
    spec = valid()
    spec.pod_template.name = ""
    spec.pod_template.pod_template_json = (
        '{"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "x"}]}}'
    )
    with pytest.raises(InvalidSetting, match="no container named 'primary'"):
        refuse_invalid_task(spec)
    spec.pod_template.primary_container = "x"
    refuse_invalid_task(spec)
