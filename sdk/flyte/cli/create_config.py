"""`flyte create config`: a configuration file, so that nothing has to be said again with each command."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import rich_click as click

from flyte.cli.options import scope_options
from flyte.cli.peer_options import auth_type_option, refuse_option

_BUILDERS: Final = ("local", "docker", "buildah", "local-podman")
_FILE: Final = "config.yaml"


@click.command("config")
@click.option("--endpoint", help="Platform to speak to: unix:PATH, HOST:PORT or https://HOST:PORT.")
@click.option("--insecure", is_flag=True, help="Speak without TLS.")
@click.option(
    "--ca-cert",
    type=click.Path(exists=True, dir_okay=False, readable=True, resolve_path=True),
    help="PEM of the authorities that may vouch for the platform.",
)
@click.option(
    "--api-key-file",
    type=click.Path(dir_okay=False, resolve_path=True),
    help="File with the API key that says who calls.",
)
@click.option("--org", help="Organisation that runs belong to.")
@click.option(
    "--image-builder", "--builder", type=click.Choice(_BUILDERS), help="What builds images; local: docker or buildah."
)
@click.option("--local-persistence", is_flag=True, help="Keep local runs for `flyte get run --local`; they always are.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path(".flyte") / _FILE,
    show_default=True,
    help="File to write, or an existing folder for it.",
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@auth_type_option
@refuse_option("--devbox", instead="`flyte up` starts a platform on this machine, which needs no configuration.")
@click.option("--registry", help="Where images are pushed that are built and name no registry.")
@refuse_option(
    "--local-tracked",
    instead="`flyte get run --local` lists local runs; leave --local out to have them in the console.",
)
@scope_options
def create_config(
    *,
    endpoint: str | None,
    insecure: bool,
    ca_cert: str | None,
    api_key_file: str | None,
    org: str | None,
    image_builder: str | None,
    registry: str | None,
    local_persistence: bool,
    output: Path,
    force: bool,
    project: str | None,
    domain: str | None,
) -> None:
    """Write a configuration file, which `flyte` finds in this folder or below a git repository's root.

    Without --endpoint the platform of this machine is spoken to, if one runs.
    """
    _check_endpoint(endpoint, insecure=insecure, ca_cert=ca_cert)
    content: dict[str, dict[str, Any]] = {
        "admin": {
            "endpoint": endpoint,
            "insecure": insecure or None,
            "caCertFilePath": ca_cert,
            "apiKeyFile": api_key_file,
        },
        "task": {"org": org, "project": project, "domain": domain},
        "image": {"builder": image_builder, "registry": registry},
        "local": {"persistence": local_persistence or None},
    }
    given = {name: {key: value for key, value in section.items() if value} for name, section in content.items()}
    written = {name: section for name, section in given.items() if section}
    if not written:
        raise click.UsageError("There is nothing to write: give --endpoint, --project or another option.")
    _write(output / _FILE if output.is_dir() else output, written, force=force)


def _check_endpoint(endpoint: str | None, *, insecure: bool, ca_cert: str | None) -> None:
    from flyte.client.endpoints import parse_endpoint

    if insecure and ca_cert is not None:
        raise click.UsageError(
            "--insecure speaks without TLS, so that --ca-cert has nobody to judge: leave one of them out."
        )
    if endpoint is None:
        return
    try:
        parse_endpoint(endpoint)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--endpoint") from None


def _write(file: Path, content: dict[str, dict[str, Any]], *, force: bool) -> None:
    import yaml

    if file.exists() and not force:
        raise click.ClickException(f"{file} is there already. Replace it with --force.")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(content, sort_keys=False))
    except OSError as error:
        raise click.ClickException(
            f"{file} cannot be written: {error.strerror}. Choose another with --output."
        ) from None
    click.echo(f"Wrote {file}.")
