"""What `deploy/monitoring` asks for is what a running platform tells."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.telemetry.conftest import Watched
from tests.telemetry.programs import warm

import flyte

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
ALERT = re.compile(r"`(Flyteplane[A-Z]\w+)`")
METRIC = re.compile(r"\bflyteplane_[a-z_]+\b")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"]
    return list(group["rules"])


def board() -> dict[str, Any]:
    return dict(json.loads((MONITORING / "board.json").read_text()))


def samples(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_every_metric_that_is_asked_for_is_told(client: Watched) -> None:
    assert flyte.run(warm.parent).wait() is None
    told = samples(client.scraped())
    expressions = [rule["expr"] for rule in rules()]
    expressions += [target["expr"] for panel in board()["panels"] for target in panel.get("targets", ())]
    asked = {name for expression in expressions for name in METRIC.findall(expression)}
    assert len(asked) > 20
    assert asked <= told.keys(), f"nobody tells {sorted(asked - told.keys())}"
    for expression in expressions:
        for name, wanted in re.findall(r"(flyteplane_[a-z_]+)\{(\w+)[=!~]+", expression):
            assert any(wanted in labels for labels, _ in told[name]), f"{name} has no label {wanted}"
        for keys in re.findall(r"by \(([^)]*)\)", expression):
            names = METRIC.findall(expression)
            for key in keys.split(", "):
                assert any(key in labels for name in names for labels, _ in told[name]), f"no {key}: {expression}"


def test_the_page_names_every_metric_and_no_other(client: Watched) -> None:
    page = (MONITORING.parents[1] / "docs" / "telemetry.md").read_text()
    table = page.partition("## Metrics")[2].partition("## Traces")[0]
    cells = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    named = {f"flyteplane_{name}" for cell in cells for name in re.findall(r"`(\w+)(?:\{[\w,]+\})?`", cell)}
    flyte.run(warm.parent).wait()
    families = text_string_to_metric_families(client.scraped())
    told = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    assert named == {name for name in told if name.startswith("flyteplane_")}


def test_figures_are_those_of_what_ran(client: Watched) -> None:
    before = samples(client.scraped())
    flyte.run(warm.parent).wait()
    after = samples(client.scraped())

    def grew(name: str, **labels: str) -> float:
        def total(told: dict[str, list[tuple[dict[str, str], float]]]) -> float:
            return sum(value for found, value in told.get(name, ()) if labels.items() <= found.items())

        return total(after) - total(before)

    assert grew("flyteplane_actions_ended_total", phase="SUCCEEDED") == 3
    assert grew("flyteplane_start_seconds_count", worker="warm") == 2
    assert grew("flyteplane_start_seconds_count", worker="fresh") == 1
    assert grew("flyteplane_queue_wait_seconds_count") == 3
    assert grew("flyteplane_commit_seconds_count") >= 3
    service = "flyteapi.admin.v1.RunService"
    assert grew("flyteplane_rpc_calls_total", service=service, method="CreateRun", status="OK") == 1
    assert grew("flyteplane_rpc_seconds_count", service=service, method="CreateRun") == 1
    assert max(value for _, value in after["flyteplane_stuck_actions"]) == 0


def test_every_alert_is_in_the_operators_guide_and_no_other() -> None:
    guide = MONITORING.parents[1] / "docs" / "operating.md"
    told = {name for line in guide.read_text().splitlines() if line.startswith("| `F") for name in ALERT.findall(line)}
    assert told == {rule["alert"] for rule in rules()}


def test_rules_and_board_say_what_to_do() -> None:
    for rule in rules():
        assert rule["annotations"]["summary"], rule["alert"]
        assert len(rule["annotations"]["description"]) > 30, rule["alert"]
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
    panels = [panel for panel in board()["panels"] if panel["type"] != "row"]
    assert all(panel["title"] and panel["description"] for panel in panels)
    assert len({panel["id"] for panel in board()["panels"]}) == len(board()["panels"])
