"""What one process of several is told, and which folders and locks it then holds."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flyteplane.coordination import EtcdSettings
from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument
from flyteplane.identity.settings import IdentitySettings
from flyteplane.launcher.folder import PlatformFolder
from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.launcher.process_settings import ProcessSettings
from flyteplane.launcher.service_addresses import ServiceAddresses
from flyteplane.launcher.shared_folder import SharedFolder
from flyteplane.launcher.tls_settings import Identity, TlsSettings

MUTUAL = OperatorFile(
    tls=TlsSettings(internal=Identity(cert_file=Path("p.pem"), key_file=Path("p.key"), ca_file=Path("ca.pem")))
)
ETCD = EtcdSettings(endpoints=("127.0.0.1:2379",))


def settings(folder: Path, **changes: Any) -> ProcessSettings:
    return ProcessSettings(**{"data": folder, "services": ("scheduler",), "etcd": ETCD, **changes})


def test_a_process_is_named_after_what_it_carries_unless_it_is_told_its_name(tmp_path: Path) -> None:
    assert settings(tmp_path, services=("cache", "reuse_pool")).name == "cache-reuse-pool"
    assert settings(tmp_path, name="s1").name == "s1"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"services": ()}, "services"),
        ({"services": ("scheduler", "shedular")}, "services"),
        ({"name": "../s1"}, "name"),
        ({"name": "S1"}, "name"),
        ({"listen": "0.0.0.0:7000"}, "listen"),
        ({"listen": "nowhere"}, "listen"),
        ({"services": ("admin",), "endpoint": "example.org:80"}, "endpoint"),
        ({"services": ("admin",), "operator": OperatorFile(tls=TlsSettings(edge_terminated=True))}, "endpoint"),
        ({"worker_listen": "7100"}, "worker_listen"),
        ({"advertise": "s1"}, "advertise"),
        ({"listen": "0.0.0.0:7000", "operator": MUTUAL}, "advertise"),
        ({"listen": "[::]:7000", "operator": MUTUAL}, "advertise"),
        ({"etcd": None}, "services.addresses"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        settings(tmp_path, **changes)
    assert refusal.value.field == field


def test_other_machines_are_listened_to_with_tls(tmp_path: Path) -> None:
    files = Identity(cert_file=tmp_path, key_file=tmp_path, ca_file=tmp_path)
    inside = OperatorFile(tls=TlsSettings(internal=files))
    edge_process = partial(settings, tmp_path, services=("admin",), endpoint="0.0.0.0:7000")
    assert settings(tmp_path, listen="0.0.0.0:7000", advertise="10.0.0.1:7000", operator=inside).listen
    with pytest.raises(InvalidArgument, match="would not be encrypted"):
        edge_process(operator=inside)
    for edge in (TlsSettings(edge=files), TlsSettings(edge_terminated=True)):
        with pytest.raises(InvalidArgument, match="ask nobody who they are"):
            edge_process(operator=OperatorFile(tls=edge))
        operator = OperatorFile(tls=edge, identity=IdentitySettings(configured=True))
        assert edge_process(operator=operator).endpoint
        with pytest.raises(InvalidArgument, match="tells processes of the platform from others"):
            settings(tmp_path, listen="0.0.0.0:7000", operator=operator)


def test_a_process_that_listens_everywhere_says_where_others_reach_it(tmp_path: Path) -> None:
    told = settings(tmp_path, listen="0.0.0.0:7000", advertise="10.1.2.3:7000", operator=MUTUAL)
    assert told.advertise == "10.1.2.3:7000"


def test_without_a_coordination_store_every_address_must_be_fixed_and_a_scheduler_is_alone(tmp_path: Path) -> None:
    addresses = dict.fromkeys(("admin", "cache", "secrets", "reuse_pool"), "127.0.0.1:7001")
    operator = OperatorFile(services=ServiceAddresses(addresses=addresses))
    assert settings(tmp_path, etcd=None, operator=operator).carried_alone == ("scheduler",)
    assert settings(tmp_path).carried_alone == ()


def test_a_service_is_carried_by_one_process_at_a_time(tmp_path: Path) -> None:
    first = SharedFolder.share(tmp_path, process="a", services=["cache"])
    with pytest.raises(FailedPrecondition) as refusal:
        SharedFolder.share(tmp_path, process="b", services=["cache", "secrets"])
    assert refusal.value.reason == "SERVICE_RUNNING"
    # What the refused one had taken is free again.
    SharedFolder.share(tmp_path, process="b", services=["secrets"]).close()
    first.close()
    SharedFolder.share(tmp_path, process="b", services=["cache"]).close()


def test_two_processes_never_share_a_name(tmp_path: Path) -> None:
    first = SharedFolder.share(tmp_path, process="s1", services=[])
    with pytest.raises(FailedPrecondition) as refusal:
        SharedFolder.share(tmp_path, process="s1", services=[])
    assert refusal.value.reason == "PLATFORM_RUNNING"
    first.close()


def test_an_embedded_platform_and_several_processes_exclude_each_other(tmp_path: Path) -> None:
    embedded = PlatformFolder.open(tmp_path)
    with pytest.raises(FailedPrecondition, match="embedded"):
        SharedFolder.share(tmp_path, process="s1", services=[])
    embedded.close()
    first = SharedFolder.share(tmp_path, process="s1", services=[])
    second = SharedFolder.share(tmp_path, process="s2", services=[])
    with pytest.raises(FailedPrecondition) as refusal:
        PlatformFolder.open(tmp_path)
    assert refusal.value.reason == "PLATFORM_RUNNING"
    first.close()
    second.close()
    PlatformFolder.open(tmp_path).close()


def test_the_process_that_carries_admin_says_where_the_platform_is(tmp_path: Path) -> None:
    edge = SharedFolder.share(tmp_path, process="edge", services=[], announces=True)
    other = SharedFolder.share(tmp_path, process="s1", services=[])
    edge.announce(endpoint="unix:/edge", version="1")
    other.announce(endpoint="unix:/s1", version="1")
    assert json.loads((tmp_path / "platform.json").read_text())["endpoint"] == "unix:/edge"
    assert json.loads((tmp_path / "processes/s1/platform.json").read_text())["endpoint"] == "unix:/s1"
    other.close()
    assert (tmp_path / "platform.json").exists()
    edge.close()
    assert not (tmp_path / "platform.json").exists()
