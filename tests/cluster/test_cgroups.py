"""What is made of the control groups that a machine offers."""

from __future__ import annotations

from pathlib import Path

from flyteplane.cluster.cgroups import ControlGroups


def machine(root: Path, *, mounts: str, own: str) -> ControlGroups | None:
    """What a machine with these files offers."""
    (root / "mounts").write_text(mounts)
    (root / "own").write_text(own)
    return ControlGroups.detect("flyteplane-x", mounts=root / "mounts", own=root / "own")


def unified(root: Path, controllers: str) -> ControlGroups | None:
    """A machine with version 2."""
    (root / "fs" / "mine").mkdir(parents=True)
    (root / "fs" / "mine" / "cgroup.subtree_control").write_text(controllers)
    return machine(root, mounts=f"cgroup2 {root}/fs cgroup2 rw 0 0\n", own="0::/mine\n")


def test_version_2_is_used_where_controllers_are_handed_down(tmp_path: Path) -> None:
    groups = unified(tmp_path, "cpu memory pids")
    assert groups is not None
    base = tmp_path / "fs" / "mine" / "flyteplane-x"
    assert groups.bases == (base,)
    assert (base / "cgroup.subtree_control").read_text() == "+memory +cpu"
    (settings,) = groups.settings(memory_bytes=1 << 20, cpu_millis=500)
    assert settings.files == (("memory.max", "1048576"), ("cpu.max", "50000 100000"))


def test_version_2_without_controllers_is_not_used(tmp_path: Path) -> None:
    assert unified(tmp_path, "pids") is None


def test_version_1_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    for controller in ("memory", "cpu"):
        (tmp_path / controller / "mine").mkdir(parents=True)
    groups = machine(
        tmp_path,
        mounts="".join(f"cgroup {tmp_path}/{name} cgroup rw,{name} 0 0\n" for name in ("memory", "cpu")),
        own="4:memory:/mine\n3:cpu,cpuacct:/mine\n",
    )
    assert groups is not None
    memory, cpu = groups.settings(memory_bytes=1 << 20, cpu_millis=250)
    assert (memory.base, memory.files) == (
        tmp_path / "memory" / "mine" / "flyteplane-x",
        (("memory.limit_in_bytes", "1048576"),),
    )
    assert cpu.files == (("cpu.shares", "256"), ("cpu.cfs_quota_us", "25000"))
    assert groups.settings(memory_bytes=0, cpu_millis=0) == []


def test_a_machine_without_control_groups_offers_none(tmp_path: Path) -> None:
    assert machine(tmp_path, mounts="proc /proc proc rw 0 0\n", own="0::/\n") is None


def test_a_kill_for_want_of_memory_is_read_from_the_group(tmp_path: Path) -> None:
    groups = unified(tmp_path, "cpu memory")
    assert groups is not None
    group = groups.of_process(7)
    assert not group.ran_out_of_memory()
    group.folders[0].mkdir()
    for count, expected in ((0, False), (1, True)):
        (group.folders[0] / "memory.events").write_text(f"oom 3\noom_kill {count}\n")
        assert group.ran_out_of_memory() is expected
