# /// script
# requires-python = "==3.12"
# dependencies = [
#    "flyte>=2.0.0",
#    "pandas",
# ]
# main = "main"
# params = "n=3"
# ///
"""A script whose header names what its image needs."""

from pathlib import Path

import flyte

env = flyte.TaskEnvironment(
    name="uv_script",
    image=flyte.Image.from_uv_script(__file__, name="uv-script", registry="ghcr.io/me")
    .with_source_file(Path(__file__))
    .with_env_vars({"A": "1"}),
    resources=flyte.Resources(cpu=1, memory="1Gi"),
)
other = flyte.TaskEnvironment(
    name="uv_script_other",
    image=flyte.Image.from_debian_base(name="other").with_pip_packages(
        "httpx", extra_index_urls=["https://example.org"]
    ),
    depends_on=[env],
)


@env.task
async def main(n: int = 3) -> int:
    return n + 1


if __name__ == "__main__":
    flyte.init_from_config(root_dir=Path(__file__).parent, log_level=30)
    run = flyte.run(main, n=3)
    print(run)
    run.wait()
    assert run.done() and run.phase == flyte.models.ActionPhase.SUCCEEDED
    assert run.outputs().named_outputs == {"o0": 4}
    assert env.image.uri.startswith("ghcr.io/me/uv-script:")
    assert flyte.deploy(env, dry_run=True)[0].envs
