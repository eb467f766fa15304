"""Resource classes are put and deleted, and a cluster never is without one."""

from __future__ import annotations

import pytest
from tests.scheduler.administration_world import LOCAL, PROD, World

from flyteplane.foundation.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from flyteplane.scheduler.domain.definitions import Entries, Origin, merge_definitions
from flyteplane.scheduler.domain.queueing.classes import ClusterRoom, Demand, ResourceClass
from flyteplane.scheduler.domain.queueing.waits import RoomFigures

SMALL = ResourceClass(name="small", max_cpu_millis=1000, max_memory_bytes=2**30, clusters=("prod",))
LARGE = ResourceClass(name="large", max_cpu_millis=8000, max_memory_bytes=2**34, clusters=("prod",))
IN_FILE = Entries(classes=(ResourceClass(name="kept"),), path="/etc/flyteplane.yaml")


@pytest.fixture
async def world() -> World:
    """A scheduler that leads."""
    world = World()
    await world.lead()
    return world


def names(world: World) -> list[str]:
    """The classes, smallest first."""
    return [view.shape.name for view in world.classes.all()]


async def test_a_class_is_durable_and_used_once_it_is_answered(world: World) -> None:
    view = await world.classes.put(SMALL)
    assert (view.shape, view.from_file) == (SMALL, False)
    assert "small" in world.live.classes
    await world.lead()
    assert world.classes.get("small").shape == SMALL


async def test_classes_come_smallest_first(world: World) -> None:
    await world.classes.put(LARGE)
    await world.classes.put(SMALL)
    assert names(world) == ["small", "local", "large"]


async def test_a_class_tells_what_it_has_in_use(world: World) -> None:
    await world.classes.put(SMALL)
    world.live.in_class["small"] = RoomFigures(running=2, used_cpu_millis=1500, used_memory_bytes=7)
    view = world.classes.get("small")
    assert (view.running, view.used_cpu_millis, view.used_memory_bytes) == (2, 1500, 7)


async def test_a_class_that_must_be_new_or_must_exist_is_checked(world: World) -> None:
    with pytest.raises(NotFound, match="local, prod"):
        await world.classes.put(SMALL, must_exist=True)
    await world.classes.put(SMALL, must_be_new=True)
    with pytest.raises(AlreadyExists, match="flyte update resource-class small"):
        await world.classes.put(SMALL, must_be_new=True)


async def test_what_acts_on_pods_only_is_refused_where_no_cluster_has_pods() -> None:
    machine = ClusterRoom(name="machine", cpu_millis=4000, has_nodes=False)
    world = World(clusters=(machine, PROD))
    await world.lead()
    for given in (
        {"node_selector": {"pool": "gpu"}},
        {"tolerations_json": '[{"key": "gpu", "operator": "Exists"}]'},
        {"priority_class": "high"},
    ):
        with pytest.raises(InvalidArgument, match="no effect") as refused:
            await world.classes.put(ResourceClass(name="c", clusters=("machine",), **given))
        assert refused.value.field in given
        for clusters in (("prod",), ("machine", "prod"), ()):
            await world.classes.put(ResourceClass(name="c", clusters=clusters, **given))
    await world.classes.put(ResourceClass(name="plain", clusters=("machine",)))


async def test_a_class_of_an_unknown_cluster_is_refused(world: World) -> None:
    with pytest.raises(InvalidArgument, match="mars"):
        await world.classes.put(ResourceClass(name="c", clusters=("mars",)))


async def test_a_class_of_the_file_is_changed_in_the_file_only() -> None:
    world = World(file=IN_FILE)
    await world.lead()
    assert world.classes.get("kept").from_file
    for ask in (world.classes.put(ResourceClass(name="kept")), world.classes.delete("kept")):
        with pytest.raises(FailedPrecondition, match=r"/etc/flyteplane\.yaml"):
            await ask


async def test_a_deleted_class_is_gone_whatever_runs_in_it(world: World) -> None:
    await world.classes.put(SMALL)
    await world.classes.put(LARGE)
    world.live.in_class["small"] = RoomFigures(running=2)
    await world.classes.delete("small")
    assert "small" not in world.live.classes
    with pytest.raises(NotFound):
        await world.classes.delete("small")


# --- classes of a cluster's own -------------------------------------------------------------------------------------


async def test_a_cluster_without_classes_offers_one_of_its_own(world: World) -> None:
    own = world.classes.get("local")
    assert (own.from_file, own.built_in) == (False, True)
    assert own.shape == ResourceClass(name="local", max_memory_bytes=LOCAL.memory_bytes, clusters=("local",))
    assert world.classes.get("prod").shape == ResourceClass(name="prod", clusters=("prod",))


async def test_a_defined_class_takes_the_place_of_the_cluster_s_own_and_gives_it_back(world: World) -> None:
    await world.classes.put(SMALL)
    assert names(world) == ["small", "local"]
    await world.classes.delete("small")
    assert names(world) == ["local", "prod", "prod-accelerators"]


async def test_a_class_for_all_clusters_leaves_none_with_its_own(world: World) -> None:
    await world.classes.put(ResourceClass(name="any"))
    assert names(world) == ["any"]


async def test_a_cluster_s_own_class_is_neither_changed_nor_deleted(world: World) -> None:
    with pytest.raises(FailedPrecondition, match="own"):
        await world.classes.delete("local")
    with pytest.raises(FailedPrecondition, match="Create a class"):
        await world.classes.put(ResourceClass(name="local"), must_exist=True)


async def test_a_class_named_like_its_cluster_takes_the_place_of_the_own_one(world: World) -> None:
    shape = ResourceClass(name="local", max_cpu_millis=10, clusters=("local",))
    assert (await world.classes.put(shape, must_be_new=True)).shape == shape


async def test_names_never_clash_whatever_classes_are_called() -> None:
    stored = Entries(classes=(ResourceClass(name="local", clusters=("prod",)),))
    definitions = merge_definitions(stored=stored, file=Entries(), clusters=[LOCAL, PROD])
    assert {name: entry.origin for name, entry in definitions.classes.items()} == {
        "local": Origin.STORE,
        "local-2": Origin.BUILT_IN,
    }


def test_accelerators_of_a_cluster_have_an_own_class_of_theirs() -> None:
    room = ClusterRoom(name="gpus", accelerators={"GPU": 8})
    definitions = merge_definitions(stored=Entries(), file=Entries(), clusters=[room])
    assert {name: dict(entry.shape.max_accelerators) for name, entry in definitions.classes.items()} == {
        "gpus": {},
        "gpus-accelerators": {"GPU": 8},
    }


def test_a_cluster_that_decides_itself_offers_every_accelerator_and_a_machine_none() -> None:
    definitions = merge_definitions(stored=Entries(), file=Entries(), clusters=[LOCAL, PROD])
    accelerated = definitions.classes["prod-accelerators"].shape
    assert accelerated.fits(Demand(accelerators=(("GPU/A100", 8),)))
    assert accelerated.fits(Demand(accelerators=(("TPU", 4),)))
    assert "local-accelerators" not in definitions.classes
