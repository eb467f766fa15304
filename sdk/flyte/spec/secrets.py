"""Which secrets a task gets, and how they reach it.

A secret is named here and never carried: its value is resolved by the secrets service when the worker starts, and is
given to the task as an environment variable or as a file below one fixed folder on memory-backed storage.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, NoReturn, TypeAlias

from flyte.spec.environment_variables import refuse_reserved_secret_name
from flyte.spec.limits import MAX_SECRETS
from flyte.spec.names import NameKind, check_name
from flyte.spec.problems import InvalidSetting, InvalidSettingType

SECRETS_FOLDER: Final = PurePosixPath("/etc/flyte/secrets")
"""Where secrets that are asked for as files appear: `<folder>/[<group>/]<key>`."""

_ENV_VAR: Final = re.compile(r"^[A-Z_][A-Z0-9_]*$")


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret of a task.

    - `key`, `group`: what the secret is called in the platform.
    - `mount`: give it as a file below /etc/flyte/secrets, the only folder there is, instead of as a variable.
    - `as_env_var`: the variable; by default the group and key, upper-cased, with `_` for `-`.

    Raises InvalidSetting, a ValueError, for a variable that is malformed or reserved, or another folder.
    """

    key: str
    group: str | None = None
    mount: str | Path | None = None
    as_env_var: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.key, str):
            raise InvalidSettingType(f"Expected secret key to be of type str, got {type(self.key)}", field="secrets")
        if self.mount is not None:
            if PurePosixPath(str(self.mount)) != SECRETS_FOLDER:
                raise InvalidSetting(
                    f"Only {SECRETS_FOLDER} is supported as secret mount path today.", field="secrets.mount"
                )
            if self.as_env_var is None:
                return
        name = self.as_env_var if self.as_env_var is not None else _default_env_var(self.key, self.group)
        if not _ENV_VAR.match(name):
            raise InvalidSetting(
                f"Invalid environment variable name: {name}, must match {_ENV_VAR.pattern}", field="secrets.as_env_var"
            )
        refuse_reserved_secret_name(name, field="secrets.as_env_var")
        object.__setattr__(self, "as_env_var", name)

    @property
    def file_path(self) -> PurePosixPath | None:
        """Where the secret appears as a file, or None if it is given as a variable only."""
        if self.mount is None:
            return None
        return SECRETS_FOLDER.joinpath(*filter(None, (self.group, self.key)))

    def stable_hash(self) -> str:
        """Return a digest of the request, equal in every process; it says nothing of the value."""
        parts = (self.key, self.group or "", str(self.mount or ""), self.as_env_var or "")
        import hashlib

        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


SecretRequest: TypeAlias = str | Secret | list[str | Secret]


def check_secret_request(request: object) -> None:
    """Raise InvalidSettingType unless the value is a str, a Secret, or a list of them."""
    elements = request if isinstance(request, list) else [request]
    if not all(isinstance(element, str | Secret) for element in elements):
        raise InvalidSettingType(f"Expected secrets to be of type SecretRequest, got {type(request)}", field="secrets")


def normalise_secrets(request: SecretRequest | None) -> tuple[Secret, ...]:
    """Return the secrets that a request means, in its order.

    Raises InvalidSetting for a malformed key, or for two secrets that would be delivered to the same place.
    """
    if request is None:
        return ()
    check_secret_request(request)
    elements = request if isinstance(request, list) else [request]
    secrets = tuple(Secret(element) if isinstance(element, str) else element for element in elements)
    if len(secrets) > MAX_SECRETS:
        raise InvalidSetting(f"secrets has {len(secrets)} entries; the limit is {MAX_SECRETS}.", field="secrets")
    for secret in secrets:
        check_name(secret.key, kind=NameKind.SECRET_KEY, field="secrets.key")
        if secret.group is not None:
            check_name(secret.group, kind=NameKind.SECRET_GROUP, field="secrets.group")
    _refuse_collisions(secrets)
    return secrets


def refuse_zero_byte(variable: str) -> NoReturn:
    """Raise InvalidSetting for a value with a zero byte that should be a variable, with what to do."""
    raise InvalidSetting(
        f"The secret for the variable {variable} holds a zero byte, which no variable can: ask for it as a file, with "
        f"mount=Path({str(SECRETS_FOLDER)!r}).",
        field="secrets",
    )


def _refuse_collisions(secrets: tuple[Secret, ...]) -> None:
    places: dict[str, Secret] = {}
    for secret in secrets:
        for place in filter(None, (secret.as_env_var, str(secret.file_path or ""))):
            other = places.setdefault(place, secret)
            if other != secret:
                raise InvalidSetting(
                    f"Secrets {other.key!r} and {secret.key!r} would both be delivered as {place}. "
                    "Give one of them another as_env_var=.",
                    field="secrets",
                )
    for secret in secrets:
        folder = places.get(str(secret.file_path.parent)) if secret.file_path is not None else None
        if folder is not None:
            raise InvalidSetting(
                f"Secret {folder.key!r} would be the file {folder.file_path}, and the group of secret {secret.key!r} a "
                "folder of that name. Ask for one of them with as_env_var= and without mount=.",
                field="secrets",
            )


def _default_env_var(key: str, group: str | None) -> str:
    return (f"{group}_{key}" if group else key).upper().replace("-", "_")
