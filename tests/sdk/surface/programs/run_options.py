"""Everything that can be given to init and with_runcontext for a run on this machine."""

import logging
import os
import tempfile
from pathlib import Path

import flyte

env = flyte.TaskEnvironment(name="run_options", env_vars={"FROM_ENVIRONMENT": "e", "BOTH": "environment"})


@env.task
async def main(keys: list[str]) -> list[str]:
    flyte.logger.info("running")
    return [os.environ.get(key, "") for key in keys]


if __name__ == "__main__":
    flyte.init(
        org="o",
        project="p",
        domain="d",
        root_dir=Path(__file__).parent,
        log_level=logging.WARNING,
        log_format="console",
        image_builder="local",
        batch_size=500,
        sync_local_sys_paths=True,
    )
    runner = flyte.with_runcontext(
        mode="local",
        name="run-options",
        version="v1",
        copy_style="all",
        interactive_mode=False,
        raw_data_path=tempfile.mkdtemp(),
        run_base_dir=tempfile.mkdtemp(),
        overwrite_cache=True,
        project="p",
        domain="d",
        env_vars={"FROM_RUN": "r", "BOTH": "run"},
        labels={"team": "a"},
        annotations={"note": "b"},
        interruptible=False,
        log_level=logging.DEBUG,
        log_format="console",
        user_log_level=logging.INFO,
        reset_root_logger=False,
        disable_run_cache=False,
        queue="default",
        max_action_concurrency=4,
        custom_context={"k": "v"},
        cache_lookup_scope="global",
        preserve_original_types=False,
        debug=False,
        service_account="default",
    )
    run = runner.run(main, ["FROM_ENVIRONMENT", "FROM_RUN"])
    assert run.outputs()[0] == ["e", "r"], run.outputs()
