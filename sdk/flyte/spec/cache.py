"""Whether results of a task are kept and used again, and what counts as the same task.

The key of a result is content: task, interface, version and inputs. This module makes the version. It changes when the
body of the function changes (comments and layout aside), when the salt does, or as own policies say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, cast, runtime_checkable

from flyte.spec.limits import MAX_DURATION_S
from flyte.spec.problems import InvalidSetting, InvalidSettingType

if TYPE_CHECKING:
    from flyte.spec.image import Image

CacheBehavior: TypeAlias = Literal["auto", "override", "disable"]

_BEHAVIORS: Final = ("auto", "override", "disable")
_ALIASES: Final[dict[str, CacheBehavior]] = {
    **dict.fromkeys(("enable", "enabled", "on", "true", "yes"), "auto"),
    **dict.fromkeys(("off", "false", "no", "none"), "disable"),
}


@dataclass(frozen=True, slots=True)
class VersionParameters:
    """What a cache policy may look at."""

    func: Callable[..., Any] | None
    container_image: Any = None
    pod_template: Any = None
    code_bundle: Any = None

    @property
    def image(self) -> Image | None:
        """The image of the task, also where its environment names it by a word; None if nothing is known of it."""
        from flyte.spec.image import Image

        if isinstance(self.container_image, str):
            named = self.container_image
            return Image.from_debian_base() if named == "auto" else Image.from_base(named)
        image: Image | None = self.container_image
        return image


@runtime_checkable
class CachePolicy(Protocol):
    """A way to derive (a part of) the cache version of a task."""

    def get_version(self, salt: str, params: VersionParameters) -> str:
        """Return a text that differs whenever earlier results must not be used."""
        ...


class FunctionBodyPolicy:
    """The version is the syntax tree of the function: comments and layout do not matter, everything else does."""

    def get_version(self, salt: str, params: VersionParameters) -> str:
        """Return the digest of the function's syntax tree and the salt, the same under every version of Python.

        Raises InvalidSetting if the source cannot be read, as for a function typed into a bare interpreter.
        """
        import inspect
        import textwrap

        from flyte.spec.syntax_trees import canonical_tree

        if params.func is None:
            return ""
        try:
            tree = canonical_tree(textwrap.dedent(inspect.getsource(params.func)))
        except (OSError, TypeError, SyntaxError) as error:
            raise InvalidSetting(
                f"The source of {params.func!r} cannot be read, so its cache version is unknown. "
                "Set Cache(..., version_override=...).",
                field="cache",
            ) from error
        import hashlib

        return hashlib.sha256(f"{tree}{salt}".encode()).hexdigest()

    def __repr__(self) -> str:
        return "FunctionBodyPolicy()"

    def __eq__(self, other: object) -> bool:
        return type(other) is FunctionBodyPolicy

    def __hash__(self) -> int:
        return hash(FunctionBodyPolicy)


_FUNCTION_BODY: Final = FunctionBodyPolicy()
"""One for all, so that two equal requests compare as equal."""


@dataclass(frozen=True, slots=True)
class Cache:
    """How results of a task are cached.

    - `behavior`: "auto" derives the version from the policies, "override" takes `version_override`, "disable" is off;
      "enabled", "on", "true" and "yes" mean "auto", "off", "false", "no" and "none" mean "disable".
    - `serialize`: of several equal calls at once, one computes and the others wait for its result.
    - `ignored_inputs`: names of inputs that do not count.
    - `salt`: mixed into the version.
    - `policies`: one or more `CachePolicy`; by default the body of the function.
    - `max_age`: results older than this (seconds or timedelta) are not used.

    Raises InvalidSetting (a ValueError) or InvalidSettingType (a TypeError).
    """

    behavior: CacheBehavior | str
    version_override: str | None = None
    serialize: bool = False
    ignored_inputs: tuple[str, ...] | str = field(default_factory=tuple)
    salt: str = ""
    policies: list[CachePolicy] | CachePolicy | None = None
    max_age: timedelta | int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "behavior", _normalise_behavior(self.behavior))
        object.__setattr__(self, "policies", _normalise_policies(self.policies))
        if self.behavior != "disable" and not self.version_override and not self.policies:
            raise InvalidSetting(
                "If version is not defined then at least one cache policy needs to be set", field="cache.policies"
            )
        _check_max_age(self.max_age)
        _check_texts(self)

    def is_enabled(self) -> bool:
        """Tell whether results are kept and used."""
        return self.behavior != "disable"

    def get_ignored_inputs(self) -> tuple[str, ...]:
        """Return the names of inputs that do not count, as a tuple."""
        return (self.ignored_inputs,) if isinstance(self.ignored_inputs, str) else tuple(self.ignored_inputs)

    @property
    def max_age_s(self) -> float | None:
        """`max_age` in seconds, None for no limit."""
        return self.max_age.total_seconds() if isinstance(self.max_age, timedelta) else self.max_age

    def get_version(self, params: VersionParameters | None = None) -> str:
        """Return the cache version of a task: "" when caching is off."""
        if not self.is_enabled():
            return ""
        if self.version_override is not None:
            return self.version_override
        seen = params or VersionParameters(func=None)
        if _is_pickled(seen):
            return str(seen.code_bundle.computed_version)
        policies = cast("list[CachePolicy]", self.policies)
        combined = "".join(_version_by(policy, self.salt, seen) for policy in policies)
        import hashlib

        return hashlib.sha256(combined.encode()).hexdigest()


CacheRequest: TypeAlias = Literal["auto", "override", "disable", "enabled"] | Cache


def normalise_cache(request: object) -> Cache:
    """Return the `Cache` that a text or a Cache means, or raise InvalidSetting or InvalidSettingType."""
    if isinstance(request, Cache):
        return request
    check_cache_request(request)
    return Cache(cast(str, request))


def check_cache_request(request: object) -> None:
    """Raise InvalidSettingType unless the value is a str or a Cache."""
    if not isinstance(request, str | Cache):
        raise InvalidSettingType(f"Expected cache to be of type str or Cache, got {type(request)}", field="cache")


def _normalise_behavior(behavior: object) -> CacheBehavior:
    word = behavior.lower() if isinstance(behavior, str) else behavior
    if word in _BEHAVIORS:
        return word
    if isinstance(word, str) and word in _ALIASES:
        return _ALIASES[word]
    raise InvalidSetting(
        f"Invalid cache behavior: {behavior!r}. Must be one of {list(_BEHAVIORS)} "
        f"(aliases accepted: {sorted(_ALIASES)}).",
        field="cache",
    )


def _normalise_policies(policies: object) -> list[CachePolicy]:
    if policies is None:
        return [_FUNCTION_BODY]
    given: list[object] = list(policies) if isinstance(policies, list | tuple) else [policies]
    for policy in given:
        if not isinstance(policy, CachePolicy) or isinstance(policy, type):
            raise InvalidSettingType(
                f"Expected cache.policies to be objects with get_version(salt, params), got {policy!r}",
                field="cache.policies",
            )
    return cast("list[CachePolicy]", given)


def _version_by(policy: CachePolicy, salt: str, params: VersionParameters) -> str:
    version: object = policy.get_version(salt, params)
    if not isinstance(version, str):
        raise InvalidSettingType(
            f"Expected get_version of the cache policy {policy!r} to return a str, got {type(version)}",
            field="cache.policies",
        )
    return version


def _check_texts(cache: Cache) -> None:
    """Refuse texts that are none, and a flag that is no flag: they would count as something else in silence."""
    for field_name, value in (
        ("salt", cache.salt),
        *((("version_override", cache.version_override),) if cache.version_override is not None else ()),
    ):
        if not isinstance(value, str):
            raise InvalidSettingType(
                f"Expected cache.{field_name} to be of type str, got {type(value)}", field=f"cache.{field_name}"
            )
    if not isinstance(cache.serialize, bool):
        raise InvalidSettingType(
            f"Expected cache.serialize to be of type bool, got {type(cache.serialize)}", field="cache.serialize"
        )
    for name in cache.get_ignored_inputs():
        if not isinstance(name, str):
            raise InvalidSettingType(
                f"Expected cache.ignored_inputs to be names of inputs, got {name!r}", field="cache.ignored_inputs"
            )


def _check_max_age(max_age: object) -> None:
    if max_age is None:
        return
    if isinstance(max_age, bool) or not isinstance(max_age, int | timedelta):
        raise InvalidSettingType("max_age must be an int (seconds), timedelta, or None", field="cache.max_age")
    seconds = max_age.total_seconds() if isinstance(max_age, timedelta) else max_age
    if seconds < 0:
        raise InvalidSetting("max_age must be nonnegative", field="cache.max_age")
    if seconds > MAX_DURATION_S:
        raise InvalidSetting(f"max_age must be at most {MAX_DURATION_S} seconds", field="cache.max_age")


def _is_pickled(params: VersionParameters) -> bool:
    # A pickled bundle has no source files, so the body of the function cannot be read where the version is needed.
    return getattr(params.code_bundle, "pkl", None) is not None
