"""What a platform without an operator's file loads when it starts: every module is time of each start, and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

#: What the services are made of, and nothing that only a configured feature needs. The console's web server and page
#: templates, keys and tokens, alembic, S3, Kubernetes, etcd, PostgreSQL, YAML and OpenTelemetry come when first used.
LIBRARIES: Final = frozenset(
    {
        "cronsim",
        "google",
        "grpc",
        "grpc_health",
        "grpc_reflection",
        "sqlalchemy",
        "typing_extensions",
        "uvloop",
    }
)
#: What gRPC's own extension module defines, and what it looks for and goes without.
_OF_GRPC: Final = frozenset({"cython_runtime", "grpc_tools"})

OWN_OF_FEATURES: Final = (
    "flyteplane.cluster.kubernetes",
    "flyteplane.cluster.pods",
    "flyteplane.console.app",
    "flyteplane.console.pages",
    "flyteplane.coordination.etcd",
    "flyteplane.identity.oidc.fetching",
    "flyteplane.launcher.elected_services",
    "flyteplane.launcher.operator_reader",
    "flyteplane.launcher.service_process",
    "flyteplane.leadership",
    "flyteplane.objects.s3",
    "flyteplane.observe.otlp",
    "flyteplane.records.postgres",
    "flyteplane.rpc.certificates",
    "flyteplane.secrets.keys.vault_keys",
)

OPEN_AND_REPORT: Final = """
import asyncio, sys
from pathlib import Path
from flyteplane.launcher.platform import Platform
from flyteplane.launcher.settings import PlatformSettings

async def main():
    platform = await Platform.open(PlatformSettings(data=Path(sys.argv[1]), console_listen="127.0.0.1:0"))
    loaded = list(sys.modules)
    await platform.close()
    print(*loaded, sep="\\n")

import flyteplane.launcher.__main__
import uvloop
uvloop.run(main())
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The modules of a process in which a platform is ready."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN_AND_REPORT, str(tmp_path_factory.mktemp("platform") / "data")],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return frozenset(done.stdout.split())


def test_a_platform_loads_only_the_libraries_that_every_one_needs(loaded: frozenset[str]) -> None:
    theirs = {name.partition(".")[0] for name in loaded if not name.startswith("_")}
    own = {"flyte", "flyteapi", "flyteplane"}
    # Debian's Python brings one that it loads before any program.
    of_python = {*sys.stdlib_module_names, "sitecustomize"}
    assert theirs - own - of_python - _OF_GRPC == LIBRARIES


def test_a_platform_loads_nothing_of_features_that_are_not_configured(loaded: frozenset[str]) -> None:
    assert {name for name in loaded for one in OWN_OF_FEATURES if f"{name}.".startswith(f"{one}.")} == set()


def test_every_feature_named_here_is_there(repository: Path) -> None:
    services = repository / "services"
    missing = [
        name
        for name in OWN_OF_FEATURES
        if not (services / f"{name.replace('.', '/')}.py").exists() and not (services / name.replace(".", "/")).is_dir()
    ]
    assert missing == []
