"""What a run's own settings make of those of its tasks: what `--explain` and the console show of an action.

A run, or the trigger that fired it, stands below the environment of its tasks, so what these say goes first. Only
whether a worker may be interrupted, and that nothing is cached, is for the run to say.
"""

from __future__ import annotations

from typing import Any

from flyte.spec.resolve import Level


def in_run(spec: Any, settings: Any, *, fired: bool) -> Any:
    """Return the TaskSpec message as it holds inside of a run, with the levels of what the run gave.

    Args:
        spec: the TaskSpec, which is not changed.
        settings: the RunSettings of the run.
        fired: whether a trigger gave them.
    """
    held = type(spec)()
    held.CopyFrom(spec)
    given = (Level.TRIGGER if fired else Level.RUN).label
    levels = held.setting_levels
    if settings.queue and not held.queue:
        held.queue, levels["queue"] = settings.queue, given
    if settings.service_account and not held.service_account:
        held.service_account, levels["service_account"] = settings.service_account, given
    if settings.HasField("interruptible"):
        held.interruptible, levels["interruptible"] = settings.interruptible, given
    if settings.disable_cache and held.cache.enabled:
        held.cache.enabled, levels["cache"] = False, given
    if added := settings.env.keys() - held.env.keys():
        levels["env_vars"] = f"{levels.get('env_vars', 'default')}, {given}" if held.env else given
        for name in added:
            held.env[name] = settings.env[name]
    return held
