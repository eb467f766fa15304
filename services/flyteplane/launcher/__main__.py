"""The command line of the launcher; people use `flyte up`.

python -m flyteplane.launcher --data DIR                                        the whole platform in one process
python -m flyteplane.launcher --data DIR --services scheduler --name s1 ...     one process of several
python -m flyteplane.launcher migrate --config FILE [--data DIR] [--check]      brings the databases up to date
python -m flyteplane.launcher backup --to FOLDER [--data DIR]                   copies an embedded platform that runs
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flyteplane.foundation.errors import InvalidArgument, PlatformError
from flyteplane.launcher.console import USUAL
from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.launcher.process import run
from flyteplane.launcher.process_settings import ProcessSettings
from flyteplane.launcher.settings import PlatformSettings, default_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run in the foreground; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["migrate"]:
        return _migrate(words[1:])
    if words[:1] == ["backup"]:
        return _backup(words[1:])
    given = _parser().parse_args(words)
    try:
        settings = _process_settings(given) if given.services else _platform_settings(given)
    except PlatformError as error:
        print(f"flyte up: {error.public_text}", file=sys.stderr)
        return 2
    return run(settings, ready_fd=given.ready_fd, log_to_stdout=given.log_to_stdout)


_USES: Final = (__doc__ or "").partition("\n\n")[2]
_DATA: Final = "folder of the platform (default: $FLYTE_PLATFORM_DATA, else ~/.flyte/platform)"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flyteplane.launcher",
        description="Run the platform, or one process of it.",
        epilog=_USES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", type=Path, help=_DATA)
    add("--endpoint", default="", help="unix:/path or HOST:PORT for clients (default: a socket in the folder)")
    add("--ready-fd", type=int, help="file descriptor that is told the endpoint when ready")
    add("--log-to-stdout", action="store_true", help="write the log there, and not to platform.log in the folder")
    add("--foreground", action="store_true", help="always so; here for symmetry with flyte up")
    add("--config", type=Path, help="the operator's file, flyteplane.yaml: clusters, classes, queues, coordination")
    add("--worker-listen", default="", help="HOST:PORT for workers in pods, for example 0.0.0.0:7100")
    add("--metrics-listen", default="", help="HOST:PORT for Prometheus, for example 127.0.0.1:9464")
    add("--console-listen", default="", help="HOST:PORT or none (default: 127.0.0.1:7780; one of several: none)")
    several = parser.add_argument_group("one process of several")
    add = several.add_argument
    add("--services", default="", help="what this process carries, for example admin,cache,secrets,reuse_pool")
    add("--name", default="", help="name of this process, the same at each start (default: its services)")
    add("--listen", default="", help="unix:/path or HOST:PORT for the other processes (default: a socket)")
    add("--advertise", default="", help="HOST:PORT by which they reach it, when it listens on every address")
    add("--etcd", default="", help="endpoints of the coordination store, HOST:PORT,... (default: those of the file)")
    return parser


def _platform_settings(given: argparse.Namespace) -> PlatformSettings:
    for option in ("name", "listen", "advertise", "etcd"):
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
        console_listen=given.console_listen or USUAL,
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
        advertise=given.advertise,
        worker_listen=given.worker_listen or operator.services.worker_listen,
        metrics_listen=given.metrics_listen,
        console_listen=given.console_listen,
        etcd=etcd,
        operator=operator,
    )


def _migrate(arguments: Sequence[str]) -> int:
    """The migration job; see `flyteplane.launcher.schemas`."""
    from flyteplane.foundation.clock import SystemClock
    from flyteplane.launcher.schemas import database_urls, run_job

    parser = argparse.ArgumentParser(
        prog="python -m flyteplane.launcher migrate", description="Bring the databases of all services up to date."
    )
    parser.add_argument("--config", type=Path, help="the operator's file, which names the database")
    parser.add_argument("--data", type=Path, help=f"{_DATA}, for databases that are files in it")
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 if there is something to do")
    parser.add_argument("--wait", type=float, default=300.0, help="seconds to wait for a database (default: 300)")
    given = parser.parse_args(arguments)
    try:
        urls = database_urls(_operator(given), folder=given.data or default_folder())
    except PlatformError as error:
        print(f"migrate: {error.public_text}", file=sys.stderr)
        return 2
    return run_job(urls, check=given.check, clock=SystemClock(), patience_s=given.wait)


def _backup(arguments: Sequence[str]) -> int:
    """See `flyteplane.launcher.backup`."""
    from flyteplane.launcher.backup import HELP, run_backup

    parser = argparse.ArgumentParser(prog="python -m flyteplane.launcher backup", description=HELP)
    parser.add_argument("--data", type=Path, help=_DATA)
    parser.add_argument("--to", type=Path, required=True, help="folder of the backup, which must not be there yet")
    given = parser.parse_args(arguments)
    return run_backup(given.data or default_folder(), to=given.to)


def _operator(given: argparse.Namespace) -> OperatorFile:
    return OperatorFile.read(given.config) if given.config else OperatorFile()


if __name__ == "__main__":
    raise SystemExit(main())
