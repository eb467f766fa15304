"""The rules of a task version, where it is received: the same as those of the constructors of the SDK's values.

A task version may come from another version of the SDK or from no SDK at all. Each setting of the message is made into
the value of `flyte.spec` that it stands for, so that the rules are written once; what has no value class is checked
here. The message is taken as it comes: this module never imports it.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from flyte.spec.devices import Device
from flyte.spec.environment_variables import check_env_vars
from flyte.spec.limits import MAX_DURATION_S
from flyte.spec.names import NameKind, check_environment_name, check_name
from flyte.spec.pod_template import PRIMARY_CONTAINER_DEFAULT_NAME, PodTemplate, normalise_pod_template
from flyte.spec.problems import InvalidSetting
from flyte.spec.quantities import parse_bytes, parse_cpu_millis
from flyte.spec.resolve import Level
from flyte.spec.retries import Backoff, RetryStrategy
from flyte.spec.reuse import ReusePolicy
from flyte.spec.secrets import Secret, normalise_secrets
from flyte.spec.timeouts import Timeout, timeout_bounds

MAX_PACKAGES: Final = 1_000
"""The most Python packages, and the most Debian packages, of one image."""

MAX_PARAMETERS: Final = 1_000
"""The most inputs, and the most outputs, of one task."""

MAX_CACHE_VERSION_CHARACTERS: Final = 1_024
"""The longest cache version."""

ANSWER_TYPES: Final = ("bool", "int", "float", "str")
"""What a condition may ask for."""

PROMPT_TYPES: Final = ("text", "markdown")
"""How a condition's prompt may be written."""

MAX_PROMPT_CHARACTERS: Final = 16 * 1024
"""The longest prompt of a condition, and the longest description."""

_DIGEST: Final = re.compile(r"\A[0-9a-f]{64}\Z")
_DOTTED: Final = re.compile(r"\A[^./\\\x00-\x1f\x7f]+(\.[^./\\\x00-\x1f\x7f]+)*\Z")
"""Python imports a file by any name without a dot: scripts are called `01_hello.py` and `my-agents.py`."""
_ATTRIBUTE: Final = re.compile(r"\A[^\W\d][\w<>]*(\.[\w<>]+)*\Z")
_SYSTEM_PACKAGE: Final = re.compile(r"\A[a-z0-9][a-z0-9+.-]*(:[a-z0-9]+)?([=][A-Za-z0-9.+:~-]+)?\Z")
_ONE_LINE: Final = re.compile(r"\A[^\x00-\x1f\x7f]+\Z")


def refuse_invalid_task(spec: Any) -> None:
    """Raise for the first setting of a TaskSpec message that the platform could not keep.

    InvalidSetting (a ValueError) or InvalidSettingType (a TypeError); both name the field in `field`, and the limit and
    the mend in their text.
    """
    _check_names(spec)
    _check_interface(spec.interface)
    if spec.HasField("condition"):
        _check_condition(spec)
    else:
        _check_entrypoint(spec.entrypoint)
    _check_image(spec.image)
    _check_resources(spec.resources)
    _check_environment_variables(spec)
    _check_cache(spec)
    _check_retries(spec.retries)
    _check_timeouts(spec.timeouts)
    _check_reuse(spec)
    _check_pod_template(spec.pod_template)
    _check_texts(spec)


def _check_names(spec: Any) -> None:
    check_environment_name(spec.environment)
    check_name(spec.name, kind=NameKind.TASK, field="name")
    if not spec.name.startswith(f"{spec.environment}."):
        raise InvalidSetting(
            f"name {spec.name!r} does not begin with the environment {spec.environment!r} and a dot.", field="name"
        )
    if spec.short_name:
        check_name(spec.short_name, kind=NameKind.SHORT_NAME, field="short_name")
    if spec.queue:
        check_name(spec.queue, kind=NameKind.QUEUE, field="queue")
    if spec.service_account:
        check_name(spec.service_account, kind=NameKind.SERVICE_ACCOUNT, field="service_account")


def _check_interface(interface: Any) -> None:
    for field, parameters in (("inputs", interface.inputs), ("outputs", interface.outputs)):
        where = f"interface.{field}"
        if len(parameters) > MAX_PARAMETERS:
            raise InvalidSetting(f"{where} has {len(parameters)}; the limit is {MAX_PARAMETERS}.", field=where)
        names = [parameter.name for parameter in parameters]
        for parameter in parameters:
            if not parameter.name.isidentifier() or len(parameter.name) > 255:
                raise InvalidSetting(f"{where} has the name {parameter.name!r}: use a Python identifier.", field=where)
            if parameter.required and parameter.default_value:
                raise InvalidSetting(f"{where}: {parameter.name} is required and has a default.", field=where)
            _json_object(parameter.json_schema, field=f"{where}.json_schema")
        if len(set(names)) != len(names):
            raise InvalidSetting(f"{where} has two of one name: {sorted(names)}.", field=where)


def _check_entrypoint(entrypoint: Any) -> None:
    if entrypoint.bundle_digest and not _DIGEST.match(entrypoint.bundle_digest):
        raise InvalidSetting(
            f"entrypoint.bundle_digest {entrypoint.bundle_digest!r} is no SHA-256 in 64 hex digits.",
            field="entrypoint.bundle_digest",
        )
    importable = bool(entrypoint.module and entrypoint.attribute)
    if importable == bool(entrypoint.pickled_task):
        raise InvalidSetting(
            "entrypoint needs either module and attribute, or pickled_task, and not both.", field="entrypoint"
        )
    if importable and not (_DOTTED.match(entrypoint.module) and _ATTRIBUTE.match(entrypoint.attribute)):
        raise InvalidSetting(
            f"entrypoint {entrypoint.module!r}, {entrypoint.attribute!r} is no dotted module and attribute path.",
            field="entrypoint.module",
        )


def _check_condition(spec: Any) -> None:
    """Nothing carries a question out, so nothing may be asked for that only a worker could keep."""
    condition = spec.condition
    if condition.data_type not in ANSWER_TYPES:
        raise InvalidSetting(
            f"condition.data_type {condition.data_type!r} is none of {', '.join(ANSWER_TYPES)}.",
            field="condition.data_type",
        )
    if condition.prompt_type not in PROMPT_TYPES:
        raise InvalidSetting(
            f"condition.prompt_type {condition.prompt_type!r} is none of {', '.join(PROMPT_TYPES)}.",
            field="condition.prompt_type",
        )
    length = max(len(condition.prompt), len(condition.description))
    if length > MAX_PROMPT_CHARACTERS:
        raise InvalidSetting(
            f"condition: the prompt or its description has {length} characters; the limit is {MAX_PROMPT_CHARACTERS}.",
            field="condition.prompt",
        )
    if [output.name for output in spec.interface.outputs] != ["o0"] or spec.interface.inputs:
        raise InvalidSetting('A condition has no inputs and one output, "o0".', field="interface")
    without = ("entrypoint", "reuse", "pod_template")
    unkept = [name for name in without if spec.HasField(name)]
    unkept += [name for name in ("secrets", "env") if getattr(spec, name)]
    unkept += [name for name, is_set in (("cache", spec.cache.enabled), ("retries", spec.retries.count)) if is_set]
    if unkept:
        raise InvalidSetting(f"A condition has no {', '.join(unkept)}: nothing carries it out.", field=unkept[0])


def _check_image(image: Any) -> None:
    if image.uri and (not _ONE_LINE.match(image.uri) or " " in image.uri or image.uri.startswith("-")):
        raise InvalidSetting(f"image {image.uri!r} is no reference of an image.", field="image")
    _check_packages(image.python_packages, field="image.python_packages")
    _check_packages(image.system_packages, field="image.system_packages")
    for package in image.system_packages:
        if not _SYSTEM_PACKAGE.match(package):
            raise InvalidSetting(
                f"image.system_packages: {package!r} is no name of a Debian package.", field="image.system_packages"
            )
    _check_installs(image.python_installs)
    if len(image.container_steps) > MAX_PACKAGES or not all(map(_ONE_LINE.match, image.container_steps)):
        raise InvalidSetting(
            f"image.container_steps are names of one line each, {MAX_PACKAGES} at most.", field="image.container_steps"
        )
    check_env_vars(dict(image.env), field="image.env_vars")


def _check_installs(installs: Any) -> None:
    field = "image.python_installs"
    if len(installs) > MAX_PACKAGES:
        raise InvalidSetting(f"{field} has {len(installs)}; the limit is {MAX_PACKAGES}.", field=field)
    for install in installs:
        _check_packages(install.packages, field=f"{field}.packages")
        _check_packages(install.constraints, field=f"{field}.constraints")
        if len(install.options) > MAX_PACKAGES or not all(map(_ONE_LINE.match, install.options)):
            raise InvalidSetting(
                f"{field}.options are words of one line each, {MAX_PACKAGES} at most.", field=f"{field}.options"
            )


def _check_packages(packages: Any, *, field: str) -> None:
    if len(packages) > MAX_PACKAGES:
        raise InvalidSetting(f"{field} has {len(packages)}; the limit is {MAX_PACKAGES}.", field=field)
    for package in packages:
        # A requirement that begins with a dash would be taken for an option of the installer.
        if not _ONE_LINE.match(package) or package.lstrip().startswith("-"):
            raise InvalidSetting(f"{field}: {package!r} is no requirement, such as 'numpy>=2'.", field=field)


def _check_resources(resources: Any) -> None:
    _check_order("cpu", resources.cpu, resources.cpu_limit, parse_cpu_millis)
    _check_order("memory", resources.memory, resources.memory_limit, parse_bytes)
    if resources.disk:
        parse_bytes(resources.disk, field="resources.disk")
    if resources.shared_memory not in ("", "auto"):
        parse_bytes(resources.shared_memory, field="resources.shm")
    if resources.HasField("accelerator"):
        asked = resources.accelerator
        Device(asked.quantity, asked.device_class, device=asked.device or None, partition=asked.partition or None)
        for text in (asked.device, asked.partition):
            if text:
                check_name(text, kind=NameKind.LABEL_VALUE, field="resources.gpu")


def _check_order(name: str, request: str, limit: str, parse: Any) -> None:
    field = f"resources.{name}"
    least = parse(request, field=field) if request else None
    most = parse(limit, field=field) if limit else None
    if least is not None and most is not None and most < least:
        raise InvalidSetting(f"{field}: the limit is smaller than the request. Write (request, limit).", field=field)


def _check_environment_variables(spec: Any) -> None:
    env_vars = check_env_vars(dict(spec.env))
    secrets = normalise_secrets([_secret(request) for request in spec.secrets])
    shared = sorted({secret.as_env_var for secret in secrets if secret.as_env_var} & env_vars.keys())
    if shared:
        raise InvalidSetting(
            f"{', '.join(shared)} is set by env_vars and by a secret. Give the secret another as_env_var=.",
            field="env_vars",
        )


def _secret(request: Any) -> Secret:
    if bool(request.env_var) == bool(request.mount_path):
        raise InvalidSetting(
            f"The secret {request.key!r} needs a variable or a folder, exactly one of them.", field="secrets"
        )
    mount = Path(request.mount_path) if request.mount_path else None
    return Secret(request.key, group=request.group or None, mount=mount, as_env_var=request.env_var or None)


def _check_cache(spec: Any) -> None:
    cache = spec.cache
    if cache.enabled and not cache.version:
        raise InvalidSetting("cache is on without a version. Set version_override= or a policy.", field="cache.version")
    if len(cache.version) > MAX_CACHE_VERSION_CHARACTERS:
        raise InvalidSetting(
            f"cache.version has {len(cache.version)} characters; the limit is {MAX_CACHE_VERSION_CHARACTERS}.",
            field="cache.version",
        )
    unknown = sorted(set(cache.ignored_inputs) - {parameter.name for parameter in spec.interface.inputs})
    if unknown:
        raise InvalidSetting(
            f"cache.ignored_inputs names {', '.join(unknown)}, which is no input of the task.",
            field="cache.ignored_inputs",
        )
    if cache.HasField("max_age"):
        _timedelta(cache.max_age, field="cache.max_age")


def _check_retries(retries: Any) -> None:
    backoff = None
    if retries.HasField("backoff"):
        asked = retries.backoff
        backoff = Backoff(
            _timedelta(asked.base, field="retries.backoff.base"),
            factor=asked.factor,
            cap=_timedelta(asked.cap, field="retries.backoff.cap") if asked.HasField("cap") else None,
        )
    RetryStrategy(retries.count, backoff)


def _check_timeouts(timeouts: Any) -> None:
    bounds = {
        name: _timedelta(getattr(timeouts, name), field=f"timeout.{name}")
        for name in ("max_runtime", "max_queued_time", "deadline")
        if timeouts.HasField(name)
    }
    timeout_bounds(Timeout(**bounds))


def _check_reuse(spec: Any) -> None:
    if not spec.HasField("reuse"):
        return
    reuse = spec.reuse
    ReusePolicy(
        replicas=(reuse.min_replicas, reuse.max_replicas),
        concurrency=reuse.concurrency,
        idle_ttl=_timedelta(reuse.idle_ttl, field="reusable.idle_ttl"),
        scaledown_ttl=_timedelta(reuse.scaledown_ttl, field="reusable.scaledown_ttl"),
        scope=reuse.scope,
    )
    if reuse.concurrency > 1 and not spec.is_async:
        raise InvalidSetting(
            "Reusable environments with concurrency greater than 1 are only supported for async tasks. "
            "Please use an async function or set concurrency to 1.",
            field="reusable.concurrency",
        )


def _check_pod_template(template: Any) -> None:
    if template.name and template.pod_template_json:
        raise InvalidSetting("pod_template is given by name and by value. Give one of them.", field="pod_template")
    if template.name:
        normalise_pod_template(template.name)
    if not template.pod_template_json:
        return
    manifest = _json_object(template.pod_template_json, field="pod_template")
    metadata = manifest.get("metadata") or {}
    spec = manifest.get("spec") or {}
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise InvalidSetting("pod_template needs objects as metadata and spec.", field="pod_template")
    normalise_pod_template(
        PodTemplate(
            spec,
            primary_container_name=template.primary_container or PRIMARY_CONTAINER_DEFAULT_NAME,
            labels=metadata.get("labels"),
            annotations=metadata.get("annotations"),
        )
    )


def _check_texts(spec: Any) -> None:
    if spec.plugin_config:
        _json_value(spec.plugin_config, field="plugin_config")
    labels = {level.label for level in Level}
    for name, label in spec.setting_levels.items():
        if label not in labels:
            raise InvalidSetting(f"setting_levels: {name} has the unknown level {label!r}.", field="setting_levels")
    for link in spec.links:
        check_name(link.name, kind=NameKind.SHORT_NAME, field="links.name")
        if not link.url.startswith(("https://", "http://")) or not _ONE_LINE.match(link.url):
            raise InvalidSetting(f"links: {link.url!r} is no http or https URL.", field="links.url")


def _json_value(text: str, *, field: str) -> Any:
    """Return what a JSON text means, or raise InvalidSetting."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSetting(f"{field} is no JSON: {error}.", field=field) from error


def _json_object(text: str, *, field: str) -> dict[str, Any]:
    value = _json_value(text, field=field) if text else {}
    if not isinstance(value, dict):
        raise InvalidSetting(f"{field} must be a JSON object, got {type(value).__name__}.", field=field)
    return value


def _timedelta(duration: Any, *, field: str) -> timedelta:
    """Return a Duration message as a timedelta, or raise InvalidSetting for one that is negative or out of bounds."""
    seconds = duration.seconds + duration.nanos / 1e9
    if not 0 <= seconds <= MAX_DURATION_S:
        raise InvalidSetting(f"{field} must be between 0 and {MAX_DURATION_S} seconds, got {seconds:g}.", field=field)
    return timedelta(seconds=duration.seconds, microseconds=duration.nanos // 1000)
