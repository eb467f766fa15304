"""Chooses key providers as the operator's settings say."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument
from flyteplane.secrets.keys.environment_keys import CURRENT, environment_keys
from flyteplane.secrets.keys.file_keys import FileKeys
from flyteplane.secrets.keys.key_chain import KeyChain
from flyteplane.secrets.settings import Provider, SecretsSettings

if TYPE_CHECKING:
    from flyteplane.secrets.application.ports import KeyProvider


def open_keys(settings: SecretsSettings, *, folder: Path, environment: Mapping[str, str]) -> KeyProvider:
    """The provider that is chosen, with the others behind it as far as they have keys.

    Args:
        folder: of key files, unless the settings name one.

    Raises:
        InvalidArgument: a key in the environment cannot be read, or there is none and there should be.
        FailedPrecondition: a key file is open to others; the package for Vault is missing.
        Unavailable: a key file cannot be read.
    """
    given = environment_keys(environment, random_bytes=secrets.token_bytes)
    files = FileKeys(settings.folder or folder, random_bytes=secrets.token_bytes)
    match settings.provider or (Provider.FILE if given is None else Provider.ENVIRONMENT):
        case Provider.FILE:
            return KeyChain(files, [given] if given is not None else [])
        case Provider.ENVIRONMENT:
            if given is None:
                raise InvalidArgument(
                    f"the provider environment needs a key in {CURRENT}",
                    field="secrets.provider",
                    mend="Make one with `openssl rand -base64 32`.",
                )
            return KeyChain(given, [files])
        case Provider.VAULT:
            return KeyChain(_vault(settings), [files, *([given] if given is not None else [])])


def _vault(settings: SecretsSettings) -> KeyProvider:
    try:
        import hvac  # noqa: F401  # whether it is installed
    except ImportError:
        raise FailedPrecondition(
            "the provider vault needs the package hvac",
            reason="PACKAGE_MISSING",
            mend="Install it: pip install 'flyteplane[vault]'.",
        ) from None
    from flyteplane.secrets.keys.vault_keys import VaultKeys

    assert settings.vault is not None  # The settings refuse the provider without its section.
    return VaultKeys(settings.vault)
