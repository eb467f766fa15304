"""Environments that depend on each other, with images, secrets, resources of their own, and clones."""

import flyte

image = (
    flyte.Image.from_debian_base(python_version=(3, 12), name="my-image", registry="ghcr.io/me")
    .with_apt_packages("git")
    .with_pip_packages("numpy", "pandas==2.2.3", index_url="https://example.org/simple", pre=True)
    .with_env_vars({"A": "1"})
    .with_workdir("/app")
    .with_commands(["echo hi"])
)

training = flyte.TaskEnvironment(
    name="training",
    image=image,
    resources=flyte.Resources(cpu=(1, 2), memory=("1Gi", "2Gi"), gpu="A100:1", disk="10Gi", shm="auto"),
    env_vars={"LOG_LEVEL": "debug"},
    interruptible=True,
    description="Trains.",
)
reporting = training.clone_with(name="reporting", image="auto", resources=flyte.Resources(cpu=1), env_vars={})
driver = flyte.TaskEnvironment(
    name="driver",
    depends_on=[training],
    resources=flyte.Resources(cpu=1, memory="512Mi"),
)
driver.add_dependency(reporting)


@training.task(retries=flyte.RetryStrategy(count=2), timeout=flyte.Timeout(max_runtime=60, max_queued_time=60))
async def train(epochs: int) -> float:
    return 1.0 / epochs


@reporting.task(short_name="write a report", docs=flyte.Documentation(description="Reports."))
async def report(loss: float) -> str:
    return f"loss={loss}"


@driver.task(entrypoint=True)
async def main(epochs: int = 4) -> str:
    loss = await train.override(short_name=f"train {epochs}", resources=flyte.Resources(cpu=2))(epochs)
    return await report(loss)


if __name__ == "__main__":
    flyte.init_from_config()
    run = flyte.run(main, epochs=2)
    run.wait()
    assert run.outputs()[0] == "loss=0.5"
    assert [e.name for e in driver.depends_on] == ["training", "reporting"]
    assert set(training.tasks) == {"training.train"}
    assert train.short_name == "train"
