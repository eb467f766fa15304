"""The root of the `flyte` command: options that hold for all commands, and the one place that shows errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import rich_click as click
from click.exceptions import Exit

from flyte.cli.lazy import LazyCommand, LazyGroup
from flyte.cli.options import RootOptions, log_options
from flyte.cli.peer_options import auth_type_option
from flyte.spec.version import __version__

COMMANDS = {
    "up": LazyCommand("flyte.cli.up:up", "Start the platform on this machine."),
    "console": LazyCommand(
        "flyte.cli.console:console", "Print where to look at the platform of this machine in a browser."
    ),
    "down": LazyCommand("flyte.cli.down:down", "Stop the platform of this machine."),
    "backup": LazyCommand("flyte.cli.backup:backup", "Copy the platform of this machine while it runs."),
    "run": LazyCommand("flyte.cli.run:run", "Run a task of a Python file, or a deployed task."),
    "get": LazyCommand("flyte.cli.get:get", "Show runs, actions, logs, tasks, projects, secrets, pools and more."),
    "abort": LazyCommand("flyte.cli.abort:abort", "Abort a run, or one action with everything below it."),
    "rerun": LazyCommand("flyte.cli.rerun:rerun", "Run an earlier run again, or recover it."),
    "deploy": LazyCommand("flyte.cli.deploy:deploy", "Deploy the environments of a Python file."),
    "build": LazyCommand("flyte.cli.build:build", "Build the images of the environments of a Python file."),
    "create": LazyCommand(
        "flyte.cli.create:create",
        "Create a secret, project, queue, resource class, API key, role or configuration file.",
    ),
    "update": LazyCommand(
        "flyte.cli.update:update", "Update a secret, the keys of secrets, a project, queue, pool or resource class."
    ),
    "delete": LazyCommand(
        "flyte.cli.delete:delete", "Delete a secret, queue, resource class, API key, role or cached results."
    ),
    "drain": LazyCommand("flyte.cli.drain:drain", "Drain a queue or a pool: what it has still runs."),
    "activate": LazyCommand("flyte.cli.activate:activate", "Let a drained queue accept again."),
    "signal": LazyCommand("flyte.cli.conditions:signal", "Answer what a task asks."),
    "doctor": LazyCommand("flyte.cli.doctor:doctor", "Check that everything works, and say the mend of what does not."),
    "gen": LazyCommand("flyte.cli.gen:gen", "Write documentation of this command line."),
    "whoami": LazyCommand("flyte.cli.whoami:whoami", "Show who the platform takes you for."),
}

_COMMAND_MISSING: Final = 2

click.rich_click.SHOW_ARGUMENTS = True


class Root(LazyGroup):
    """The `flyte` command itself: the one place that shows errors."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line and exit: 0 for success, 1 for a failure, 130 if it was interrupted."""
        if not standalone_mode:
            return super().main(args, "flyte", complete_var, standalone_mode=False, **extra)
        arguments = sys.argv[1:] if args is None else list(args)
        if "GRPC_VERBOSITY" not in os.environ:
            # A connection that fails is told in our words, and not by gRPC's log as well. Not for a task's own gRPC.
            os.putenv("GRPC_VERBOSITY", "ERROR")
        try:
            code = super().main(arguments, "flyte", complete_var, standalone_mode=False, **extra)
            sys.stdout.flush()
        except Exit as stop:
            code = stop.exit_code
        except click.Abort:
            click.echo("Interrupted.", err=True)
            code = 130
        except BaseException as error:
            from flyte.cli.errors import report

            if "_FLYTE_COMPLETE" in os.environ:
                # Somebody is still typing: what is wrong so far is no news.
                sys.exit(1)
            code = report(error, verbose=any(argument in ("-v", "-vv", "--verbose") for argument in arguments))
        # Click ends with 2 after help that it prints because a command is missing.
        code = 1 if code == _COMMAND_MISSING else code
        sys.exit(code if isinstance(code, int) else 0)


@click.group(cls=Root, commands_table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="flyte")
@click.option("-c", "--config", type=click.Path(dir_okay=False), help="Configuration file to use.")
@click.option(
    "--endpoint",
    help="Platform to speak to: unix:PATH, HOST:PORT or https://HOST:PORT. Default: the one of this machine.",
)
@click.option("--insecure", is_flag=True, default=None, help="Speak without TLS.")
@click.option("-p", "--project", help="Project. Default: flytesnacks, or what the configuration says.")
@click.option("-d", "--domain", help="Domain. Default: development, or what the configuration says.")
@click.option(
    "-of",
    "--output-format",
    type=click.Choice(["table", "json", "table-simple", "json-raw"]),
    default="table",
    help="How lists and details are printed: json-raw on one line, table-simple without colours and lines.",
)
@click.option("--org", help="Organisation that runs belong to.")
@click.option(
    "--user-log-level",
    type=click.Choice(["debug", "info", "warning", "error", "critical"]),
    help="Least level of what tasks log with flyte.logger. Default: info.",
)
@click.option(
    "--log-format", type=click.Choice(["console", "json"]), help="How log lines are written, here and in tasks."
)
@click.option("--reset-root-logger", is_flag=True, help="Let all loggers of this process write in that format.")
@click.option(
    "--image-builder",
    "--builder",
    type=click.Choice(["local", "docker", "buildah", "local-podman"]),
    help="What builds images; local: docker or buildah; local-podman: buildah.",
)
@auth_type_option
@click.option("--no-progress", is_flag=True, help="Draw nothing that moves.")
@click.option("-v", "--verbose", count=True, help="Show the SDK's own frames of errors; twice: its log as well.")
@click.pass_context
def cli(
    ctx: click.Context,
    *,
    config: str | None,
    endpoint: str | None,
    insecure: bool | None,
    project: str | None,
    domain: str | None,
    output_format: str,
    org: str | None,
    user_log_level: str | None,
    log_format: str | None,
    reset_root_logger: bool,
    image_builder: str | None,
    no_progress: bool,
    verbose: int,
) -> None:
    """Runs plain Python tasks in containers or on warm replicas, and loses none of them.

    Completion in bash: eval "$(_FLYTE_COMPLETE=bash_source flyte)"; zsh and fish likewise.
    """
    ctx.obj = RootOptions(
        config=config,
        endpoint=endpoint,
        insecure=insecure,
        project=project,
        domain=domain,
        org=org,
        output_format=output_format,
        progress=not no_progress,
        verbose=verbose,
        image_builder=image_builder,
    )
    if user_log_level or log_format or reset_root_logger:
        from flyte.authoring.logs import LogSettings

        level = log_options(user_log_level, None).get("user_log_level")
        LogSettings(user_level=level, format=log_format, reset_root_logger=reset_root_logger).apply()
    if verbose > 1:
        import logging

        logging.basicConfig(level=logging.DEBUG)


main = cli
"""What the installed command runs. It is a group of click, so that `click.testing` can invoke it as well."""
