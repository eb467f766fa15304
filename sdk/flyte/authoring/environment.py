"""An environment: the settings that a set of tasks, or an app, has in common.

Parameters are checked for their type when the environment is made, with the messages that users of the peer SDK know;
what is not given is remembered as such, so that every setting of a task can tell where it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Self

from flyte.authoring import registry
from flyte.authoring.dataclass_kinds import keep_identity
from flyte.spec.limits import MAX_DESCRIPTION_LENGTH
from flyte.spec.names import check_environment_name
from flyte.spec.not_given import NOT_GIVEN, NotGiven
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.resolve import Level, canonical
from flyte.spec.resources import Resources

if TYPE_CHECKING:
    from flyte.spec.image import Image
    from flyte.spec.pod_template import PodTemplateRequest
    from flyte.spec.secrets import SecretRequest


_UNSET: Any = NOT_GIVEN
"""The default of all fields but the name, so that a subclass that is a dataclass can have fields of its own."""


@dataclass(init=False, repr=False, eq=False)
class Environment:
    """The base of all environments. A subclass may be a dataclass that adds fields.

    - `name`: in snake_case or kebab-case; part of the full name of every task.
    - `depends_on`: environments that are deployed together with this one.
    - `env_vars` (or `env`), `secrets`, `resources`, `image`, `pod_template`, `interruptible`, `service_account`: of the
      containers.
    - `include`: files to bundle beside the code, relative to the file that makes the environment.

    Raises InvalidSetting (a ValueError) or InvalidSettingType (a TypeError) naming the parameter.
    """

    name: str
    depends_on: list[Environment] = _UNSET
    pod_template: PodTemplateRequest | None = _UNSET
    description: str | None = _UNSET
    secrets: SecretRequest | None = _UNSET
    env_vars: dict[str, str] | None = _UNSET
    resources: Resources | None = _UNSET
    interruptible: bool = _UNSET
    image: str | Image | None = _UNSET
    include: tuple[str, ...] = _UNSET
    service_account: str | None = _UNSET

    def __init__(
        self,
        name: str,
        depends_on: list[Environment] | NotGiven | None = NOT_GIVEN,
        pod_template: PodTemplateRequest | NotGiven | None = NOT_GIVEN,
        description: str | NotGiven | None = NOT_GIVEN,
        secrets: SecretRequest | NotGiven | None = NOT_GIVEN,
        env_vars: dict[str, str] | NotGiven | None = NOT_GIVEN,
        resources: Resources | NotGiven | None = NOT_GIVEN,
        interruptible: bool | NotGiven = NOT_GIVEN,
        image: str | Image | Literal["auto"] | NotGiven | None = NOT_GIVEN,
        include: tuple[str, ...] | list[str] | NotGiven = NOT_GIVEN,
        service_account: str | NotGiven | None = NOT_GIVEN,
        *,
        env: dict[str, str] | NotGiven | None = NOT_GIVEN,
    ) -> None:
        given = {name_: value for name_, value in locals().items() if name_ not in ("self", "name", "__class__")}
        self._take(name, given)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Take what the constructor of a subclass that is a dataclass was given; otherwise there is nothing left."""
        if "_given" in vars(self):
            return
        keep_identity(type(self))
        given = {name: getattr(self, name) for name in self._parameters() if name in type(self).__dataclass_fields__}
        self._take(self.name, given)

    @classmethod
    def _parameters(cls) -> frozenset[str]:
        """The parameters of this kind of environment, in all spellings, those that a subclass adds left out."""
        return _BASE_PARAMETERS

    def _take(self, name: str, given: Mapping[str, object]) -> None:
        self.name = check_environment_name(name)
        values = canonical(given, level=Level.ENVIRONMENT)
        for parameter, value in values.items():
            check = _CHECKS.get(parameter)
            if check is not None:
                check(value)
        self._given = frozenset(values)
        self.depends_on = list(_given_or(values, "depends_on", []))
        self.pod_template = _given_or(values, "pod_template", None)
        self.description = _shortened(_given_or(values, "description", None))
        self.secrets = _given_or(values, "secrets", None)
        self.env_vars = _given_or(values, "env_vars", None)
        self.resources = _given_or(values, "resources", None)
        self.interruptible = _given_or(values, "interruptible", False)
        self.image = _given_or(values, "image", "auto")
        self.include = tuple(_given_or(values, "include", ()))
        self.service_account = _given_or(values, "service_account", None)
        registry.register(self)

    def __repr__(self) -> str:
        shown = "".join(f", {name}={getattr(self, name)!r}" for name in sorted(self._given - {"depends_on"}))
        return f"{type(self).__name__}(name={self.name!r}{shown})"

    def add_dependency(self, *env: Environment) -> None:
        """Deploy further environments together with this one; those that are there already are left out.

        Raises InvalidSettingType for anything else, InvalidSetting for the environment itself.
        """
        for dependency in env:
            if not isinstance(dependency, Environment):
                raise InvalidSettingType(f"Expected Environment, got {type(dependency)}", field="depends_on")
            if dependency is self or dependency.name == self.name:
                raise InvalidSetting("Cannot add self as a dependency", field="depends_on")
            if dependency not in self.depends_on:
                self.depends_on.append(dependency)

    def clone_with(
        self,
        name: str,
        image: str | Image | Literal["auto"] | NotGiven | None = NOT_GIVEN,
        resources: Resources | NotGiven | None = NOT_GIVEN,
        env_vars: dict[str, str] | NotGiven | None = NOT_GIVEN,
        secrets: SecretRequest | NotGiven | None = NOT_GIVEN,
        depends_on: list[Environment] | NotGiven | None = NOT_GIVEN,
        description: str | NotGiven | None = NOT_GIVEN,
        **kwargs: Any,
    ) -> Self:
        """Return a new environment, without the tasks, that differs from this one in what is given."""
        given = {
            "image": image,
            "resources": resources,
            "env_vars": env_vars,
            "secrets": secrets,
            "depends_on": depends_on,
            "description": description,
            **kwargs,
        }
        return self._clone(name, given)

    def _clone(self, name: str, given: Mapping[str, object]) -> Self:
        known = self._parameters()
        added = {field.name for field in fields(self) if field.init} - known - {"name"}
        if unknown := sorted(given.keys() - known - added):
            raise InvalidSettingType(f"Unexpected keyword arguments: {unknown}", field=unknown[0])
        changes = canonical({key: value for key, value in given.items() if key in known}, level=Level.ENVIRONMENT)
        if "reusable" in given and given["reusable"] in (None, "off"):
            changes["reusable"] = NOT_GIVEN
        current = {parameter: getattr(self, parameter) for parameter in self._given}
        own: dict[str, Any] = {field: given.get(field, getattr(self, field)) for field in added}
        return type(self)(name, **{**current, **changes, **own})


_BASE_PARAMETERS = frozenset(
    {
        *("depends_on", "pod_template", "description", "secrets", "env_vars", "env", "resources", "interruptible"),
        *("image", "include", "service_account"),
    }
)


def _given_or(values: Mapping[str, Any], name: str, default: Any) -> Any:
    return values.get(name, default)


def _shortened(description: str | None) -> str | None:
    if description is None or len(description) <= MAX_DESCRIPTION_LENGTH:
        return description
    import warnings

    warnings.warn(
        f"description has {len(description)} characters and is cut to {MAX_DESCRIPTION_LENGTH}.", stacklevel=4
    )
    return description[:MAX_DESCRIPTION_LENGTH]


def _typed(name: str, kind: type, label: str) -> Callable[[object], None]:
    def check(value: object) -> None:
        if not isinstance(value, kind):
            raise InvalidSettingType(f"Expected {name} to be of type {label}, got {type(value)}", field=name)

    return check


def _check_depends_on(value: object) -> None:
    if not isinstance(value, list | tuple):
        raise InvalidSettingType(
            f"Expected depends_on to be of type List[Environment], got {type(value)}", field="depends_on"
        )
    for element in value:
        if not isinstance(element, Environment):
            raise InvalidSettingType(
                f"Expected depends_on to be of type List[Environment], got {type(element)}", field="depends_on"
            )


def _check_include(value: object) -> None:
    if isinstance(value, str):
        raise InvalidSettingType(
            f"Expected include to be a sequence of str paths, got a bare str ({value!r}).", field="include"
        )
    if not isinstance(value, tuple | list) or not all(isinstance(path, str) for path in value):
        raise InvalidSettingType(f"Expected include to be a sequence of str paths, got {value!r}.", field="include")


def _check_pod_template(value: object) -> None:
    # Most environments have none, and pods start sooner without it.
    from flyte.spec.pod_template import check_pod_template_request

    check_pod_template_request(value)


def _check_secrets(value: object) -> None:
    from flyte.spec.secrets import check_secret_request

    check_secret_request(value)


def _check_image(value: object) -> None:
    if isinstance(value, str):
        return
    from flyte.spec.image import check_image_request

    check_image_request(value)


_CHECKS: dict[str, Callable[[object], None]] = {
    "depends_on": _check_depends_on,
    "pod_template": _check_pod_template,
    "description": _typed("description", str, "str"),
    "secrets": _check_secrets,
    "env_vars": _typed("env_vars", dict, "Dict[str, str]"),
    "resources": _typed("resources", Resources, "Resources"),
    "interruptible": _typed("interruptible", bool, "bool"),
    "image": _check_image,
    "include": _check_include,
    "service_account": _typed("service_account", str, "str"),
}
