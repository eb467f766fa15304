"""Pieces of the agent that need no process: ends, memory events, packages, bundles, settings, contact."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from flyte.errors import ResourceExhaustedError
from flyte.runner.contact import Contact
from flyte.runner.pod.bundle import unpack
from flyte.runner.pod.endings import CannotRun, end_of_worker, exit_code_of
from flyte.runner.pod.memory_events import MemoryEvents
from flyte.runner.pod.packages import check_packages
from flyte.runner.pod.settings import PodSettings, SettingsError, environment_of_task
from flyte.wire.errors import error_from_proto
from flyteapi.common.v1.error_pb2 import ERROR_KIND_REFUSED, ERROR_KIND_SYSTEM, ERROR_KIND_USER, TaskError
from flyteplane.scheduler.domain.failures import worker_failure

ENV = {
    "FLYTE_WORKER_ENDPOINTS": "a:1, b:2,",
    "FLYTE_WORKER_TOKEN": "secret",
    "FLYTE_WORKER_CA": "PEM",
    "FLYTE_WORKER_NAME": "w",
    "FLYTE_WORKER_CONTACT_S": "15",
}


@pytest.mark.parametrize("status", [0, 7 << 8, 9, 15, 1 << 8])
@pytest.mark.parametrize("out_of_memory", [True, False])
def test_ends_are_classified_as_the_scheduler_does(status: int, out_of_memory: bool) -> None:
    signal, code = status & 0x7F, status >> 8
    known = worker_failure(
        exit_code=code, signal=signal, out_of_memory=out_of_memory and status != 0, known=True, message=""
    )
    error = end_of_worker(status, out_of_memory=out_of_memory).error
    assert (error.kind, error.code, error.message) == (int(known.kind), known.code, known.message)
    assert (error.exit_code, error.signal) == (known.exit_code, known.signal)
    assert error.recoverable is known.recoverable
    assert error.kind in (ERROR_KIND_USER, ERROR_KIND_SYSTEM)


def test_exit_codes_are_those_of_shells() -> None:
    assert [exit_code_of(status, signal_base=128) for status in (0, 7 << 8, 9)] == [0, 7, 137]


@pytest.mark.parametrize("name", ["memory.events", "memory/memory.oom_control"])
def test_a_kill_for_memory_is_seen_in_either_version_of_control_groups(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("low 0\nhigh 4\noom 1\noom_kill 2\n")
    events = MemoryEvents(tmp_path)
    assert not events.has_killed
    file.write_text("low 0\nhigh 9\noom 3\noom_kill 3\noom_group_kill 0\n")
    assert events.has_killed


def test_where_the_kernel_counts_nothing_nothing_was_killed(tmp_path: Path) -> None:
    assert not MemoryEvents(tmp_path).has_killed


def test_packages_that_are_there_fit() -> None:
    check_packages(["pytest", "pytest>=1", "Pytest_Asyncio", "no-such; sys_platform == 'win32'", "./local"], image="")


@pytest.mark.parametrize("requirement", ["no-such-package", "pytest<1", "no-such-package[extra]>=2"])
def test_packages_that_are_missing_or_too_old_are_named(requirement: str) -> None:
    with pytest.raises(CannotRun, match="The image") as refused:
        check_packages(["pytest", requirement], image="team/image:3")
    assert requirement in str(refused.value)
    assert "team/image:3" in str(refused.value)
    error = refused.value.as_end().error
    assert (error.kind, error.code, error.recoverable) == (ERROR_KIND_REFUSED, "IMAGE_LACKS_PACKAGE", False)


def packed(tmp_path: Path, *members: tarfile.TarInfo, content: bytes = b"") -> tuple[Path, str]:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for member in members:
            member.size = len(content) if member.isfile() else 0
            archive.addfile(member, io.BytesIO(content))
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(file.getvalue())
    return path, hashlib.sha256(file.getvalue()).hexdigest()


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = fields.get("linkname", "")
    return info


def test_a_bundle_is_unpacked_with_its_folders(tmp_path: Path) -> None:
    path, digest = packed(tmp_path, member("package/module.py"), content=b"x = 1\n")
    unpack(path, tmp_path / "code", digest=digest)
    assert (tmp_path / "code/package/module.py").read_text() == "x = 1\n"


@pytest.mark.parametrize(
    "unsafe",
    [
        member("/etc/absolute"),
        member("../outside"),
        member("folder/../../outside"),
        member("link", tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("hard", tarfile.LNKTYPE, linkname="/etc/passwd"),
        member("device", tarfile.CHRTYPE),
        member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: info.name,
)
def test_nothing_of_a_bundle_leaves_its_folder(tmp_path: Path, unsafe: tarfile.TarInfo) -> None:
    path, digest = packed(tmp_path, unsafe)
    with pytest.raises(CannotRun) as refused:
        unpack(path, tmp_path / "code", digest=digest)
    assert (refused.value.code, refused.value.recoverable) == ("BUNDLE_UNSAFE", False)
    assert not (tmp_path / "outside").exists()


def test_a_bundle_with_another_digest_or_no_bundle_at_all_is_refused(tmp_path: Path) -> None:
    path, digest = packed(tmp_path, member("f"), content=b"1")
    with pytest.raises(CannotRun) as changed:
        unpack(path, tmp_path / "one", digest="0" * 64)
    assert (changed.value.code, changed.value.recoverable) == ("BUNDLE_DIGEST", True)
    with pytest.raises(CannotRun) as large:
        unpack(path, tmp_path / "two", digest=digest, most_bytes=0)
    assert large.value.code == "BUNDLE_TOO_LARGE"
    path.write_bytes(b"no archive")
    with pytest.raises(CannotRun) as damaged:
        unpack(path, tmp_path / "three", digest=hashlib.sha256(b"no archive").hexdigest())
    assert damaged.value.code == "BUNDLE_DAMAGED"


def test_settings_are_read_and_kept_from_the_task() -> None:
    settings = PodSettings.of(ENV)
    assert (settings.endpoints, settings.name, settings.contact_s) == (("a:1", "b:2"), "w", 15.0)
    assert "secret" not in repr(settings)
    assert environment_of_task({**ENV, "HOME": "/root", "FLYTE_REPLICA_ENDPOINTS": "c:3"}) == {"HOME": "/root"}
    assert not settings.replica
    assert settings.authorities == "PEM"


def test_a_replica_speaks_to_the_pool_at_its_own_endpoints_or_where_the_scheduler_is() -> None:
    replica = PodSettings.of({**ENV, "FLYTE_WORKER_REPLICA": "1"})
    assert (replica.replica, replica.replica_endpoints) == (True, ("a:1", "b:2"))
    apart = PodSettings.of({**ENV, "FLYTE_WORKER_REPLICA": "1", "FLYTE_REPLICA_ENDPOINTS": "c:3, d:4"})
    assert (apart.endpoints, apart.replica_endpoints) == (("a:1", "b:2"), ("c:3", "d:4"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLYTE_WORKER_ENDPOINTS", ","),
        ("FLYTE_WORKER_TOKEN", ""),
        ("FLYTE_WORKER_CONTACT_S", "soon"),
        ("FLYTE_WORKER_CONTACT_S", "0"),
        ("FLYTE_WORKER_CONTACT_S", "inf"),
        ("FLYTE_WORKER_REPLICA", "yes"),
    ],
)
def test_settings_that_are_wrong_are_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        PodSettings.of({**ENV, name: value})


def test_contact_lasts_from_the_sending_of_what_was_answered_and_lapses_for_good() -> None:
    now = [100.0]
    contact = Contact(10.0, now=lambda: now[0])
    now[0] = 1e6
    assert not contact.lapsed
    assert not contact.begun
    contact.answered(1e6)
    now[0] += 9
    contact.answered(1e6 + 5)
    contact.answered(1e6 + 2)
    assert contact.left_s == pytest.approx(6.0)
    now[0] += 6
    assert contact.lapsed
    contact.answered(now[0])
    assert contact.lapsed


def test_a_queue_that_stays_full_raises_an_error_of_its_own() -> None:
    error = error_from_proto(TaskError(kind=ERROR_KIND_REFUSED, code="QUEUE_FULL", message="queue gpu is full"))
    assert isinstance(error, ResourceExhaustedError)
