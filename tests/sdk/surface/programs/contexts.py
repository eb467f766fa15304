"""flyte.ctx(), custom context from the run and from blocks, project and domain."""

import flyte

env = flyte.TaskEnvironment(name="contexts")


@env.task
async def leaf() -> dict[str, str]:
    return flyte.get_custom_context()


@env.task
async def root() -> dict[str, str]:
    ctx = flyte.ctx()
    assert ctx
    assert ctx.action.run_name and ctx.action.name
    assert ctx.mode == "local"
    assert ctx.attempt_number == 0
    assert not ctx.is_in_cluster()
    assert ctx.custom_context == {"trace_id": "1"}
    assert ctx.raw_data_path.path and ctx.output_path and ctx.run_base_dir
    assert flyte.current_project() and flyte.current_domain()
    with flyte.custom_context(experiment="e"):
        inner = await leaf()
    assert await leaf() == {"trace_id": "1"}
    return inner


if __name__ == "__main__":
    flyte.init_from_config(project="p", domain="d")
    assert not flyte.ctx()
    run = flyte.with_runcontext(custom_context={"trace_id": "1"}).run(root)
    assert run.outputs()[0] == {"trace_id": "1", "experiment": "e"}
    with flyte.custom_context(trace_id="2"):
        assert flyte.run(leaf).outputs()[0] == {"trace_id": "2"}
