"""`flyte rerun`: an earlier run again, with its own code and inputs."""

from __future__ import annotations

import rich_click as click

from flyte.cli.options import assignments, json_option, root_options, scope_options
from flyte.cli.run_options import RunOptions


@click.command()
@click.argument("run_name", metavar="RUN")
@click.option("--name", help="Name of the new run.")
@click.option("-e", "--env", multiple=True, metavar="KEY=VALUE", help="Environment variable to change. Repeatable.")
@click.option("--label", multiple=True, metavar="KEY=VALUE", help="Label to change. Repeatable.")
@click.option("-f", "--follow", is_flag=True, help="Print what the task prints while it runs.")
@click.option("--no-wait", is_flag=True, help="Return as soon as the run is accepted.")
@click.option("--recover", is_flag=True, help="Take over what succeeded; run only what failed or never ran.")
@click.option("--action-name", default="a0", help="Run only this action, with the inputs that it had.")
@click.option("--force-rerun-action", multiple=True, help="With --recover: run this action again. Repeatable.")
@click.option("--allow-missing-outputs", is_flag=True, help="Changes nothing: results last as long as their run.")
@scope_options
@json_option
@click.pass_context
def rerun(
    ctx: click.Context,
    *,
    run_name: str,
    name: str | None,
    env: tuple[str, ...],
    label: tuple[str, ...],
    follow: bool,
    no_wait: bool,
    recover: bool,
    action_name: str,
    force_rerun_action: tuple[str, ...],
    allow_missing_outputs: bool,
    project: str | None,
    domain: str | None,
    as_json: bool,
) -> None:
    """Run RUN again with its original code and inputs, as a new run."""
    from flyte.cli.running import show_run
    from flyte.client.run import with_runcontext

    root = root_options(ctx)
    root.choose_platform(project=project, domain=domain)
    try:
        runner = with_runcontext(
            name=name,
            project=project,
            domain=domain,
            env_vars=assignments(env, option="--env"),
            labels=assignments(label, option="--label"),
        )
        run = runner.rerun(run_name, action_name=action_name, recover=recover, force_rerun_actions=force_rerun_action)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    options = RunOptions(follow=follow, no_wait=no_wait, as_json=as_json or root.json)
    ctx.exit(show_run(run, options))
