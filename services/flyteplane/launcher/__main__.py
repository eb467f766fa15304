"""The command line of the launcher; people use `flyte up`.

python -m flyteplane.launcher --data DIR                                        the whole platform in one process
python -m flyteplane.launcher --data DIR --services scheduler --name s1 ...     one process of several
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from flyteplane.foundation.errors import InvalidArgument, PlatformError
from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.launcher.process import run
from flyteplane.launcher.process_settings import ProcessSettings
from flyteplane.launcher.settings import PlatformSettings, default_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run in the foreground; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        settings = _process_settings(given) if given.services else _platform_settings(given)
    except PlatformError as error:
        print(f"flyte up: {error.public_text}", file=sys.stderr)
        return 2
    return run(settings, ready_fd=given.ready_fd)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flyteplane.launcher", description="Run the platform.")
    add = parser.add_argument
    add("--data", type=Path, help="folder of the platform (default: $FLYTE_PLATFORM_DATA)")
    add("--endpoint", default="", help="unix:/path or 127.0.0.1:PORT for clients (default: a socket in the folder)")
    add("--ready-fd", type=int, help="file descriptor that is told the endpoint when ready")
    add("--foreground", action="store_true", help="always so; here for symmetry with flyte up")
    add("--config", type=Path, help="the operator's file, flyteplane.yaml: clusters, classes, queues, coordination")
    add("--worker-listen", default="", help="HOST:PORT for workers in pods, for example 0.0.0.0:7100")
    add("--metrics-listen", default="", help="HOST:PORT for Prometheus, for example 127.0.0.1:9464")
    several = parser.add_argument_group("one process of several")
    add = several.add_argument
    add("--services", default="", help="what this process carries, for example admin,cache,secrets,reuse_pool")
    add("--name", default="", help="name of this process, the same at each start (default: its services)")
    add("--listen", default="", help="unix:/path or 127.0.0.1:PORT for the other processes")
    add("--etcd", default="", help="endpoints of the coordination store, HOST:PORT,... (default: those of the file)")
    return parser


def _platform_settings(given: argparse.Namespace) -> PlatformSettings:
    for option in ("name", "listen", "etcd"):
        if getattr(given, option):
            raise InvalidArgument(
                f"--{option} is for one process of several", field=option, mend="Add --services, or leave it out."
            )
    operator = _operator(given)
    return PlatformSettings(
        data=given.data or default_folder(),
        endpoint=given.endpoint,
        worker_listen=given.worker_listen or operator.services.worker_listen,
        metrics_listen=given.metrics_listen,
        operator=operator,
    )


def _process_settings(given: argparse.Namespace) -> ProcessSettings:
    operator = _operator(given)
    etcd = operator.coordination
    if given.etcd:
        from flyteplane.coordination import EtcdSettings

        etcd = EtcdSettings(endpoints=tuple(given.etcd.split(",")))
    return ProcessSettings(
        data=given.data or default_folder(),
        services=tuple(given.services.split(",")),
        name=given.name,
        endpoint=given.endpoint,
        listen=given.listen,
        worker_listen=given.worker_listen or operator.services.worker_listen,
        metrics_listen=given.metrics_listen,
        etcd=etcd,
        operator=operator,
    )


def _operator(given: argparse.Namespace) -> OperatorFile:
    return OperatorFile.read(given.config) if given.config else OperatorFile()


if __name__ == "__main__":
    raise SystemExit(main())
