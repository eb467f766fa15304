"""From the section `secrets` of an operator's file to settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flyteplane.secrets.settings import AppRole, Provider, SecretsSettings, VaultSettings

if TYPE_CHECKING:
    from flyteplane.launcher import operator_schema as schema


def secrets_settings(given: schema.Secrets, *, folder: Path) -> SecretsSettings:
    """The settings of secrets; `folder` is where relative paths begin. Raises InvalidArgument."""
    return SecretsSettings(
        provider=Provider(given.provider) if given.provider is not None else None,
        folder=_path(folder, given.folder),
        vault=_vault(given.vault, folder=folder) if given.vault is not None else None,
        lost_keys=frozenset(given.lost_keys),
        keep_audit_days=given.keep_audit_days,
    )


def _vault(given: schema.Vault, *, folder: Path) -> VaultSettings:
    approle = given.approle
    return VaultSettings(
        address=given.address,
        key=given.key,
        mount=given.mount,
        namespace=given.namespace,
        token_file=_path(folder, given.token_file),
        approle=_approle(approle, folder=folder) if approle is not None else None,
        ca_file=_path(folder, given.ca_file),
        timeout_s=given.timeout_s,
    )


def _approle(given: schema.AppRole, *, folder: Path) -> AppRole:
    secret_id_file = folder / Path(given.secret_id_file).expanduser()
    return AppRole(role_id=given.role_id, secret_id_file=secret_id_file, mount=given.mount)


def _path(folder: Path, given: str | None) -> Path | None:
    return None if given is None else folder / Path(given).expanduser()
