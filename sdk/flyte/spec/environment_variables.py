"""The environment variables of a task, and the names among them that nobody may set.

A secret is delivered under a name that the user chooses. Some names change which code runs inside the worker (`PATH`,
`LD_PRELOAD`, ...) and some tell the worker who it is; delivering a secret under one of them is refused. Plain variables
may change the search paths of Python and the shell, which is a common wish, but not the dynamic loader's preloading
nor what the platform itself sets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from flyte.spec.limits import MAX_ENV_VARS, MAX_ENV_VARS_BYTES
from flyte.spec.names import RULES, NameKind
from flyte.spec.problems import InvalidSetting, InvalidSettingType

PLATFORM_NAMES: Final = frozenset(
    {
        "FLYTE_ACTION_NAME",
        "FLYTE_ATTEMPT_NUMBER",
        "FLYTE_ATTEMPT_TOKEN",
        "FLYTE_DOMAIN",
        "FLYTE_EPOCH",
        "FLYTE_ORG",
        "FLYTE_PROJECT",
        "FLYTE_RUN_NAME",
        "FLYTE_SECRETS_DIR",
    }
)
"""What the platform tells every worker about itself."""

PLATFORM_PREFIXES: Final = ("FLYTEPLANE_", "FLYTE_REPLICA_", "FLYTE_WORKER_", "_FLYTE_")
"""Beginnings of further names that the platform keeps for itself."""

LOADER_NAMES: Final = frozenset({"LD_AUDIT", "LD_LIBRARY_PATH", "LD_PRELOAD"})
"""Variables of the dynamic loader: they put code into every process of the container."""

INTERPRETER_NAMES: Final = frozenset(
    {
        *("BASH_ENV", "ENV", "HOME", "IFS", "PATH", "PYTHONHOME", "PYTHONINSPECT", "PYTHONPATH", "PYTHONSTARTUP"),
        *("GCONV_PATH", "GLIBC_TUNABLES", "SHELL", "TMPDIR", "USER"),
    }
)
"""Variables that decide what the shell and the interpreter run; a secret may not have these names."""

_LOADER_PREFIX: Final = "LD_"
# The interpreter's own, of this version and of the next ones. Names that begin with PYTHON_ only colour and remember.
_INTERPRETER: Final = re.compile(r"PYTHON[^_]")


def reserved_for_platform(name: str) -> bool:
    """Tell whether only the platform may set a variable."""
    return name in PLATFORM_NAMES or name.startswith(PLATFORM_PREFIXES)


def refuse_reserved_secret_name(name: str, *, field: str = "secrets") -> None:
    """Raise InvalidSetting if a secret may not be delivered as the environment variable `name`."""
    if reserved_for_platform(name):
        reason = "the platform sets it itself"
    elif name in INTERPRETER_NAMES or name.startswith(_LOADER_PREFIX) or _INTERPRETER.match(name):
        reason = "it decides which code runs in the container"
    else:
        return
    raise InvalidSetting(
        f"The environment variable {name} is reserved: {reason}. Choose another name with as_env_var=.", field=field
    )


def check_env_vars(env_vars: object, *, field: str = "env_vars") -> dict[str, str]:
    """Return the variables if names, values, count and size are within the limits and no name is reserved.

    Raises InvalidSettingType for a value that is not a str, InvalidSetting for everything else.
    """
    if not isinstance(env_vars, Mapping):
        raise InvalidSettingType(f"Expected {field} to be of type Dict[str, str], got {type(env_vars)}", field=field)
    if len(env_vars) > MAX_ENV_VARS:
        raise InvalidSetting(f"{field} has {len(env_vars)} variables; the limit is {MAX_ENV_VARS}.", field=field)
    checked = {_check_name(name, field): _check_value(name, value, field) for name, value in env_vars.items()}
    size = sum(len(name.encode()) + len(value.encode()) for name, value in checked.items())
    if size > MAX_ENV_VARS_BYTES:
        raise InvalidSetting(f"{field} weighs {size} bytes; the limit is {MAX_ENV_VARS_BYTES}.", field=field)
    return checked


def _check_name(name: object, field: str) -> str:
    rule = RULES[NameKind.ENV_VAR]
    if not isinstance(name, str) or len(name) > rule.max_length or not rule.pattern.match(name):
        raise InvalidSetting(f"Invalid environment variable name: {name!r}. Use {rule.words}.", field=field)
    if reserved_for_platform(name) or name in LOADER_NAMES:
        raise InvalidSetting(f"The environment variable {name} is reserved. Choose another name.", field=field)
    return name


def _check_value(name: object, value: object, field: str) -> str:
    if not isinstance(value, str):
        raise InvalidSettingType(f"Environment variable {name} must be a string, got {type(value)}", field=field)
    if "\0" in value:
        raise InvalidSetting(f"Environment variable {name} contains a zero byte.", field=field)
    return value
