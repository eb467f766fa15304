"""Secrets of runs without a platform, for the command line."""

from __future__ import annotations

import rich_click as click

from flyte.cli.output import print_json, print_table
from flyte.local.secrets import LocalSecrets, SecretName, default_secrets_path


def store(name: str, group: str, project: str | None, domain: str | None, content: bytes) -> str:
    """Keep a secret and return what to say."""
    secret = SecretName(name, group, project or "", domain or "")
    path = default_secrets_path()
    secrets = LocalSecrets(path)
    verb = "Replaced" if secret in secrets.names() else "Created"
    secrets.put(secret, content)
    return f"{verb} secret {name} for local runs of {secret.scope}, in {path}."


def update(name: str, group: str, project: str | None, domain: str | None, content: bytes) -> str:
    """Keep a new value of a secret and return what to say. Raises ClickException if there is none."""
    secret = SecretName(name, group, project or "", domain or "")
    path = default_secrets_path()
    secrets = LocalSecrets(path)
    if secret not in secrets.names():
        raise click.ClickException(
            f"There is no secret {name} for local runs of {secret.scope}. "
            f"Create it with `flyte create secret --local {name}`."
        )
    secrets.put(secret, content)
    return f"Replaced secret {name} for local runs of {secret.scope}, in {path}."


def remove(name: str, group: str, project: str | None, domain: str | None) -> str:
    """Forget a secret and return what to say. Raises ClickException if there is none."""
    secret = SecretName(name, group, project or "", domain or "")
    if not LocalSecrets(default_secrets_path()).delete(secret):
        raise click.ClickException(f"There is no secret {name} for local runs of {secret.scope}.")
    return f"Deleted secret {name} for local runs."


def show(name: str | None, *, as_json: bool) -> None:
    """List secrets, or those of one name. Raises ClickException if there are none of that name."""
    found = [one for one in LocalSecrets(default_secrets_path()).names() if name in (None, one.key)]
    if name is not None and not found:
        raise click.ClickException(f"There is no secret {name} for local runs.")
    if as_json:
        print_json(
            [
                {"secret": one.key, "group": one.group, "project": one.project, "domain": one.domain, "local": True}
                for one in found
            ]
        )
        return
    print_table(
        ("secret", "group", "scope"),
        ((one.key, one.group, one.scope) for one in found),
        empty="No secrets for local runs. Make one with `flyte create secret --local NAME`.",
    )
