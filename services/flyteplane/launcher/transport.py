"""The certificates of one process, and the listeners and channels that are made with them.

Certificates are read when the process starts: one that cannot be used is named then, and the process does not run.
Without a word of the operator nothing here has TLS, which is for sockets and for addresses of this machine only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from flyteplane.observe import Reading
from flyteplane.rpc.internal import internal_channel, internal_server, worker_server

if TYPE_CHECKING:
    import ssl

    import grpc

    from flyteplane.foundation.clock import Clock
    from flyteplane.launcher.tls_settings import Identity, TlsSettings
    from flyteplane.rpc.certificates import Certificates
    from flyteplane.rpc.server import RpcServer

_UNIX: Final = "unix:"
_EXPIRES: Final = "When the certificate of a listener expires, in seconds since the epoch."


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """How this process listens and connects."""

    edge: Certificates | None = None
    internal: Certificates | None = None
    workers: Certificates | None = None

    @classmethod
    def open(cls, settings: TlsSettings, *, clock: Clock) -> Self:
        """Read every certificate. Raises InvalidArgument (TLS) that names the first that cannot be used."""
        if settings.edge is None and settings.internal is None and settings.workers is None:
            return cls()
        from flyteplane.rpc.transport import INTERNAL_NAME, WORKERS_NAME

        return cls(
            edge=_certificates(settings.edge, "tls.edge", clock=clock),
            internal=_certificates(settings.internal, "tls.internal", clock=clock, name=INTERNAL_NAME),
            workers=_certificates(settings.workers, "tls.workers", clock=clock, name=WORKERS_NAME),
        )

    def readings(self) -> Iterator[Reading]:
        """How long the certificates still hold, as metrics."""
        for listener, certificates in (("edge", self.edge), ("internal", self.internal), ("workers", self.workers)):
            if certificates is not None:
                expires_at = certificates.current().expires_at
                yield Reading("certificate_expires", _EXPIRES, expires_at, {"listener": listener})

    @property
    def worker_authorities(self) -> str:
        """By which workers judge the listener, in PEM; empty for a listener without TLS."""
        return self.workers.current().authorities.decode("ascii") if self.workers is not None else ""

    def edge_credentials(self, address: str) -> grpc.ServerCredentials | None:
        """Of the listener for clients at an address; None for none: a socket is open to its owner only."""
        if self.edge is None or address.startswith(_UNIX):
            return None
        from flyteplane.rpc.transport import server_credentials

        return server_credentials(self.edge, clients_prove_themselves=False)

    def edge_context(self) -> ssl.SSLContext | None:
        """Of a listener for people's browsers, with the same certificate; None for none."""
        if self.edge is None:
            return None
        from flyteplane.rpc.tls_context import server_context

        return server_context(self.edge)

    def edge_url(self, address: str) -> str:
        """The address of the clients' listener in words that say whether it speaks TLS."""
        return f"https://{address}" if self.edge is not None and not address.startswith(_UNIX) else address

    def edge_certificate(self, url: str) -> str:
        """The file of the certificate that clients see at a URL; empty where they see none."""
        return str(self.edge.files.cert_file.absolute()) if self.edge is not None and url.startswith("https://") else ""

    def internal_server(self, address: str) -> RpcServer:
        """The listener for other processes; not started yet."""
        from flyteplane.identity.passing import PassedCallers

        return internal_server(address, certificates=self.internal, callers=(PassedCallers(),))

    def internal_channel(self, address: str) -> grpc.aio.Channel:
        """A channel to another process."""
        return internal_channel(address, certificates=self.internal)

    def internal_certificate(self) -> object:
        """With what `internal_channel` makes channels at present; another object once that is something else."""
        return self.internal.current_lately() if self.internal is not None else None

    def worker_server(self, address: str) -> RpcServer:
        """The listener for workers in pods; not started yet."""
        return worker_server(address, certificates=self.workers)


def _certificates(given: Identity | None, section: str, *, clock: Clock, name: str = "") -> Certificates | None:
    if given is None:
        return None
    from flyteplane.rpc.certificates import CertificateFiles, Certificates

    files = CertificateFiles(
        cert_file=given.cert_file, key_file=given.key_file, ca_file=given.ca_file, name=name, section=section
    )
    return Certificates(files, clock=clock)
