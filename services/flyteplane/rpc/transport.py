"""TLS of listeners and channels, by certificates that may change while the platform runs.

    edge        clients check the server's certificate
    internal    both sides check: only processes of this platform may connect to one another
    workers     workers check the server's certificate, and prove themselves by tokens

Where processes and pods run changes all the time, and so do their addresses. Between them a certificate therefore says
what its holder is, not where: it bears a fixed DNS name, and that is the name that the other side asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import grpc

from flyte.spec.tls_names import WORKERS_NAME
from flyteplane.foundation.errors import Unauthenticated
from flyteplane.rpc.certificates import CertificateContent, Certificates
from flyteplane.rpc.handlers import Behaviour, Handler, answer_once, answer_stream, behaviour_of, with_behaviour
from flyteplane.rpc.interceptors import Continuation

__all__ = ["INTERNAL_NAME", "WORKERS_NAME", "PlatformProcessesOnly", "internal_credentials", "server_credentials"]

#: What the certificate of every process of the platform bears.
INTERNAL_NAME: Final = "flyteplane-internal"
_NAMES_OF_PEER: Final = "x509_subject_alternative_name"


def server_credentials(certificates: Certificates, *, clients_prove_themselves: bool) -> grpc.ServerCredentials:
    """Credentials of a listener; each new connection is met with what the files hold by then.

    Args:
        clients_prove_themselves: refuse whoever has no certificate of the authorities in `ca_file`.
    """
    used = certificates.current()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal used
        if (found := certificates.current()) is used:
            return None
        used = found
        return _configuration(found, clients_prove_themselves)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(used, clients_prove_themselves),
        changed,  # type: ignore[arg-type]  # None means "as before"; the stubs do not say so
        require_client_authentication=clients_prove_themselves,
    )


def internal_credentials(content: CertificateContent) -> grpc.ChannelCredentials:
    """Credentials of a channel to another process of the platform; the channel asks for `INTERNAL_NAME`."""
    return grpc.ssl_channel_credentials(content.authorities, content.key, content.chain)


def _configuration(content: CertificateContent, with_authorities: bool) -> grpc.ServerCertificateConfiguration:
    authorities = content.authorities if with_authorities else None
    return grpc.ssl_server_certificate_configuration([(content.key, content.chain)], root_certificates=authorities)


class PlatformProcessesOnly(grpc.aio.ServerInterceptor):
    """Refuses who has a certificate of the right authority, and is no process of the platform.

    An authority often issues certificates for others too, such as clients of the coordination store.
    """

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        handler: Handler | None = await continuation(handler_call_details)
        if handler is None:
            return None
        behaviour = behaviour_of(handler)
        return with_behaviour(handler, _guarded(behaviour, streams=bool(handler.response_streaming)))


def _guarded(behaviour: Behaviour, *, streams: bool) -> Behaviour:
    async def once(request: Any, context: Any) -> Any:
        _refuse_stranger(context.auth_context())
        return await answer_once(behaviour, request, context)

    async def stream(request: Any, context: Any) -> None:
        _refuse_stranger(context.auth_context())
        await answer_stream(behaviour, request, context)

    return stream if streams else once


def _refuse_stranger(peer: Mapping[Any, Any]) -> None:
    names = peer.get(_NAMES_OF_PEER) or peer.get(_NAMES_OF_PEER.encode()) or ()
    if INTERNAL_NAME.encode() not in names:
        raise Unauthenticated(
            "this listener is for processes of the platform, and the certificate is not that of one",
            reason="PEER",
            mend=f"Use a certificate with the DNS name {INTERNAL_NAME}.",
        )
