"""Secrets of local runs: a file in the user's folder that only the user can read.

The file holds values as they are, which is why its mode is checked each time it is read: whoever can read it has the
secrets. A secret is found by its group and key in the narrowest scope that has it: project and domain, project,
domain, everywhere. A variable of the process itself stands in for a secret that is not in the file.
"""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flyte.errors import RuntimeUserError
from flyte.spec.names import NameKind, check_name
from flyte.spec.secrets import Secret


@dataclass(frozen=True, slots=True, order=True)
class SecretName:
    """What a secret is called, and where it holds; empty project or domain: in all."""

    key: str
    group: str = ""
    project: str = ""
    domain: str = ""

    @property
    def scope(self) -> str:
        """The scope for people."""
        parts = (("project", self.project), ("domain", self.domain))
        return " and ".join(f"{kind} {name}" for kind, name in parts if name) or "all projects"


class LocalSecrets:
    """The secrets in a file. Changes are atomic; the last of two at once wins."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, name: SecretName, value: bytes) -> None:
        """Keep a secret, in place of what was there. Raises InvalidSetting for a malformed name."""
        check_name(name.key, kind=NameKind.SECRET_KEY, field="secrets.key")
        if name.group:
            check_name(name.group, kind=NameKind.SECRET_GROUP, field="secrets.group")
        self._write({**self._read(), name: value})

    def delete(self, name: SecretName) -> bool:
        """Forget a secret; False if there is none."""
        known = self._read()
        found = known.pop(name, None) is not None
        if found:
            self._write(known)
        return found

    def names(self) -> list[SecretName]:
        """Return what there is."""
        return sorted(self._read())

    def resolve(self, secrets: Iterable[Secret], *, project: str, domain: str) -> dict[Secret, bytes]:
        """Return the values of secrets.

        Raises RuntimeUserError with code SECRET_NOT_FOUND for one that is neither in the file nor a variable of this
        process.
        """
        known: Mapping[SecretName, bytes] | None = None
        values: dict[Secret, bytes] = {}
        for secret in secrets:
            known = self._read() if known is None else known
            values[secret] = _find(secret, known, project=project, domain=domain)
        return values

    def _read(self) -> dict[SecretName, bytes]:
        try:
            with self._path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if mode & 0o077:
                    raise RuntimeUserError(
                        "SECRETS_NOT_PRIVATE",
                        f"{self._path} holds secrets and has mode {mode:04o}: others may read it. "
                        f"Write `chmod 600 {self._path}`, and change the secrets if somebody did.",
                    )
                entries = json.load(file)["secrets"]
        except FileNotFoundError:
            return {}
        return {
            SecretName(one["key"], one["group"], one["project"], one["domain"]): base64.b64decode(one["value"])
            for one in entries
        }

    def _write(self, secrets: Mapping[SecretName, bytes]) -> None:
        entries = [
            {
                "key": name.key,
                "group": name.group,
                "project": name.project,
                "domain": name.domain,
                "value": base64.b64encode(value).decode(),
            }
            for name, value in sorted(secrets.items())
        ]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"secrets": entries}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)


def default_secrets_path() -> Path:
    """Return where the secrets of local runs are."""
    return Path.home() / ".flyte" / "local-secrets.json"


def _find(secret: Secret, known: Mapping[SecretName, bytes], *, project: str, domain: str) -> bytes:
    for scope in ((project, domain), (project, ""), ("", domain), ("", "")):
        value = known.get(SecretName(secret.key, secret.group or "", *scope))
        if value is not None:
            return value
    variable = secret.as_env_var or Secret(secret.key, secret.group).as_env_var or ""
    if variable in os.environ:
        return os.fsencode(os.environ[variable])
    group = f" --group {secret.group}" if secret.group else ""
    raise RuntimeUserError(
        "SECRET_NOT_FOUND",
        f"There is no secret {secret.key!r}{f' in group {secret.group!r}' if secret.group else ''} for local runs. "
        f"Create it with `flyte create secret --local {secret.key}{group}`, or set the variable {variable}.",
    )
