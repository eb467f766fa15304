"""`flyte get`: everything that can be looked at."""

from __future__ import annotations

import rich_click as click

from flyte.cli.lazy import LazyCommand, LazyGroup

COMMANDS = {
    "run": LazyCommand("flyte.cli.get_run:get_run", "List runs, or show one."),
    "action": LazyCommand("flyte.cli.get_action:get_action", "Show the tree of a run's actions, or one action."),
    "io": LazyCommand("flyte.cli.get_action:get_io", "Print inputs and outputs of a run or action."),
    "logs": LazyCommand("flyte.cli.get_logs:get_logs", "Print what a run or action wrote."),
    "code": LazyCommand("flyte.cli.get_code:get_code", "List or download the code of a run or action."),
    "condition": LazyCommand("flyte.cli.conditions:get_condition", "List what a run waits to have answered."),
    "report": LazyCommand("flyte.cli.get_report:get_report", "Print the HTML report of a run or action."),
    "task": LazyCommand("flyte.cli.get_task:get_task", "List deployed tasks, or show one."),
    "project": LazyCommand("flyte.cli.get_project:get_project", "List projects, or show one."),
    "secret": LazyCommand("flyte.cli.get_secret:get_secret", "List secrets (never their values), or show one."),
    "secret-keys": LazyCommand(
        "flyte.cli.secret_keys:get_secret_keys", "List the keys that secrets are stored under (never the keys)."
    ),
    "pool": LazyCommand("flyte.cli.get_pool:get_pool", "List pools of warm replicas, or show one."),
    "queue": LazyCommand("flyte.cli.get_queue:get_queue", "List queues with what runs and waits in them, or show one."),
    "resource-class": LazyCommand(
        "flyte.cli.get_resource_class:get_resource_class",
        "List resource classes with what they have in use, or show one.",
    ),
    "trigger": LazyCommand("flyte.cli.trigger_commands:get_trigger", "List triggers of deployed tasks, or show one."),
    "cluster": LazyCommand("flyte.cli.get_cluster:get_cluster", "List the clusters where work is placed, or show one."),
    "config": LazyCommand("flyte.cli.get_config:get_config", "Show the configuration that holds here."),
    "api-key": LazyCommand("flyte.cli.key_commands:get_api_key", "List API keys (never their values)."),
    "role-grant": LazyCommand(
        "flyte.cli.role_commands:get_role_grant", "List roles of people and groups, or of SUBJECT."
    ),
    "audit": LazyCommand(
        "flyte.cli.get_audit:get_audit", "List calls that changed something or were refused, the newest first."
    ),
    "cache": LazyCommand("flyte.cli.get_cache:get_cache", "List cached results."),
}


@click.group(cls=LazyGroup, commands_table=COMMANDS)
def get() -> None:
    """Show runs, actions, logs, tasks, projects, secrets, pools and more."""
