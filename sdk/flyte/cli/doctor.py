"""`flyte doctor`: looks at everything that has to be right, and says the mend of what is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import rich_click as click

from flyte.cli.options import json_option, root_options
from flyte.cli.output import is_terminal, print_json
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyte.cli.diagnosis.findings import Finding

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Check configuration, connection, permissions, stores and clusters; exit code 1 if something does not work."""
    from flyte.cli.diagnosis.machine import look_at_configuration, look_at_disk, look_at_files
    from flyte.client.init import current_settings
    from flyte.client.platform_folder import platform_folder
    from flyte.config import auto

    root = root_options(ctx)
    root.choose_platform()
    settings, source = current_settings(), auto(root.config).source
    assert settings is not None
    folder = platform_folder()
    findings = [look_at_configuration(settings, source=source)]
    findings += look_at_files(configuration=source, platform=folder)
    findings.append(look_at_disk(folder))
    if settings.endpoint is not None:
        findings += ask_platform()
    if as_json or root.json:
        print_json(findings)
    else:
        _print(findings)
    if any(finding.level == "fail" for finding in findings):
        ctx.exit(1)


@syncify
async def ask_platform() -> Sequence[Finding]:
    """What the platform itself can tell."""
    from flyte.cli.diagnosis.platform import look_at_platform
    from flyte.client.channel import connection

    return await look_at_platform(connection())


def _print(findings: Sequence[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        level = (
            click.style(f"{finding.level:<4}", fg=_COLOURS[finding.level]) if is_terminal() else f"{finding.level:<4}"
        )
        click.echo(f"{level}  {finding.check:<{width}}  {' '.join(finding.text.split())}")
        if finding.mend:
            click.echo(f"{'':<{width + 8}}{finding.mend}")
