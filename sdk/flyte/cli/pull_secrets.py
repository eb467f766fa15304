"""`flyte create secret --type image_pull`: refused, with the commands that do it.

The platform keeps every value out of the objects of Kubernetes, and a secret that images are pulled with has to be one:
the kubelet reads it. So whoever may write secrets in the cluster makes it there, and the platform is told its name.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import rich_click as click

Command = TypeVar("Command", bound=Callable[..., Any])

REGULAR: Final = "regular"
_PULL: Final = "image_pull"
_OF_PULL_SECRETS: Final = "Of --type image_pull, which is refused with what to do."


def pull_secret_options(command: Command) -> Command:
    """Add --type and what goes with image_pull to a command, which takes them as keyword arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def refuse_pull_secret(name: str, given: dict[str, Any]) -> None:
    """Return for a regular secret. Raises UsageError for what belongs to a pull secret, with the commands to give."""
    of_pull = {option: value for option, value in given.items() if option != "secret_type" and value}
    if given["secret_type"] == REGULAR:
        if of_pull:
            options = " and ".join(f"--{option.replace('_', '-')}" for option in of_pull)
            raise click.UsageError(f"Only a secret of --type {_PULL} has {options}: leave that out, or add the type.")
        return
    raise click.UsageError(
        "Image pull secrets are not kept by this platform, which lets no value become an object of Kubernetes.\n"
        f"Make it in the namespace of the pods:\n    {_kubectl(name, given)}\n"
        f"Then name it for all pods of a cluster, `image_pull_secrets: [{name}]` in the operator's file, or for those "
        f"of an environment:\n    pod_template=flyte.PodTemplate(pod_spec=V1PodSpec(containers=[], "
        f'image_pull_secrets=[V1LocalObjectReference(name="{name}")]))'
    )


def _kubectl(name: str, given: dict[str, Any]) -> str:
    if given["registry"]:
        user = given["username"] or "USER"
        words = ["docker-registry", name, f"--docker-server={given['registry']}", f"--docker-username={user}"]
        return f"{shlex.join(['kubectl', 'create', 'secret', *words])} --docker-password=..."
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    file = given["docker_config_path"] or folder / "config.json"
    source = f"--from-file=.dockerconfigjson={file}"
    return shlex.join(["kubectl", "create", "secret", "generic", name, source, "--type=kubernetes.io/dockerconfigjson"])


_OPTIONS: Final = (
    click.option(
        "--type",
        "secret_type",
        type=click.Choice([REGULAR, _PULL]),
        default=REGULAR,
        show_default=True,
        help="image_pull is refused, with what to do instead.",
    ),
    click.option("--from-docker-config", is_flag=True, hidden=True, help=_OF_PULL_SECRETS),
    click.option("--docker-config-path", type=click.Path(path_type=Path), hidden=True, help=_OF_PULL_SECRETS),
    click.option("--registries", hidden=True, help=_OF_PULL_SECRETS),
    click.option("--registry", hidden=True, help=_OF_PULL_SECRETS),
    click.option("--username", hidden=True, help=_OF_PULL_SECRETS),
    click.option("--password", hidden=True, help=_OF_PULL_SECRETS),
)
