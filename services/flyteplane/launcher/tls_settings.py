"""The `tls:` section of the operator's file as values: which certificates the listeners of the platform have.

    tls:
      edge: {cert_file: edge.pem, key_file: edge.key}           # clients; or `edge: terminated`: a proxy ends TLS
      internal: {ca_file: ca.pem, cert_file: p.pem, key_file: p.key}     # between processes, both sides
      workers: {ca_file: ca.pem, cert_file: w.pem, key_file: w.key}      # workers in pods, which are given the ca_file

Paths begin at the folder of the operator's file. What lies there is read at start by whoever listens.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

#: Services that listen to workers, and tell them by which authority to judge that.
_PLACING: Final = frozenset({"scheduler", "reuse_pool"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A certificate, its key, and the authorities by which the other side is judged."""

    cert_file: Path
    key_file: Path
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """The section; None where nothing is said, which leaves a listener without TLS."""

    edge: Identity | None = None
    edge_terminated: bool = False
    """The operator says that a proxy in front of the endpoint ends TLS, and that nothing goes past it."""
    internal: Identity | None = None
    workers: Identity | None = None

    def needed_by(self, services: Collection[str]) -> TlsSettings:
        """What a process of these services listens with; it need not be able to read the rest."""
        return replace(
            self,
            edge=self.edge if "admin" in services else None,
            workers=self.workers if _PLACING.intersection(services) else None,
        )

    @property
    def protects_edge(self) -> bool:
        """Whether what clients say is encrypted, here or before it comes here."""
        return self.edge is not None or self.edge_terminated
