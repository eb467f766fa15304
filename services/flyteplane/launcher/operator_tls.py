"""From the section `tls` of an operator's file to settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flyteplane.launcher.tls_settings import Identity, TlsSettings

if TYPE_CHECKING:
    from flyteplane.launcher import operator_schema as schema


def tls_settings(given: schema.Tls, *, folder: Path) -> TlsSettings:
    """The settings of TLS; `folder` is where relative paths begin."""
    edge = given.edge
    return TlsSettings(
        edge=None if edge is None or edge.terminated else _identity(edge.cert_file, edge.key_file, folder=folder),
        edge_terminated=edge is not None and edge.terminated,
        internal=_mutual(given.internal, folder=folder),
        workers=_mutual(given.workers, folder=folder),
    )


def _mutual(given: schema.MutualCertificate | None, *, folder: Path) -> Identity | None:
    if given is None:
        return None
    return _identity(given.cert_file, given.key_file, given.ca_file, folder=folder)


def _identity(cert_file: str, key_file: str, ca_file: str = "", *, folder: Path) -> Identity:
    return Identity(
        cert_file=folder / Path(cert_file).expanduser(),
        key_file=folder / Path(key_file).expanduser(),
        ca_file=folder / Path(ca_file).expanduser() if ca_file else None,
    )
