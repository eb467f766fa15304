"""Reports with tabs, replaced and flushed, from sync and async tasks."""

import flyte
import flyte.report

env = flyte.TaskEnvironment(name="reports")


@env.task(report=True)
async def async_report(n: int) -> int:
    flyte.report.log("<h1>Start</h1>")
    tab = flyte.report.get_tab("Data")
    for i in range(n):
        tab.log(f"<p>row {i}</p>")
    await flyte.report.flush.aio()
    await flyte.report.log.aio("<p>more</p>", do_flush=True)
    await flyte.report.replace.aio("<h1>Done</h1>")
    await flyte.report.flush.aio()
    assert flyte.report.current_report().has_content()
    assert "row 1" in str(flyte.report.current_report().get_final_report())
    try:
        flyte.report.get_tab("nope", create_if_missing=False)
    except ValueError as e:
        assert str(e) == "Tab nope does not exist."
    return n


@env.task(report=True)
def sync_report() -> None:
    flyte.report.log("<b>hi</b>", do_flush=True)
    flyte.report.get_tab("Second").replace("<i>there</i>")
    timeline = flyte.report.Timeline("Steps")
    timeline.heading("Run")
    timeline.row(icon="*", label="step", meta="3 ms", detail="did it")
    timeline.row(label="bad", error=ValueError("<no>"))
    flyte.report.flush()


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(async_report, n=2).outputs()[0] == 2
    flyte.run(sync_report)
    assert flyte.report.abbreviate("x" * 1000, 10).startswith("x")
