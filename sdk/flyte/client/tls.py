"""TLS of the connection to a platform: what the server is judged by, and why a connection with it fails.

gRPC says of every broken connection that it is unavailable, in the words of the library below. So a client that cannot
connect looks for itself, once: it connects without gRPC, which tells a wrong name from an expired certificate.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from flyte.client.endpoints import Target, parse_endpoint
from flyte.errors import InitializationError

if TYPE_CHECKING:
    import grpc

    from flyte.client.settings import ClientSettings

_PATIENCE_S: Final = 3.0
_EXPIRED, _NOT_YET = 10, 9
_WRONG_NAME: Final = frozenset({62, 64})
"""What OpenSSL calls a certificate that is for another host, or for another address."""
_SETTINGS: Final = 4
_HTTP2_GREETING: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0))
"""A client's first words: the preface, and a frame of settings that has none."""
_FRAME_HEADER_BYTES: Final = 9
_FRAME_KIND: Final = 3
"""Where the header of a frame says what it is: the first that a server sends is one of settings."""


class _NobodyThere(OSError):
    """There is no connection that could be secure or not."""


def target_of(settings: ClientSettings) -> Target:
    """The endpoint as gRPC takes it. Naming an authority asks for TLS, on this machine too."""
    assert settings.endpoint is not None
    trusts = settings.ca_cert_file_path is not None or settings.insecure_skip_verify
    return parse_endpoint(settings.endpoint, insecure=settings.insecure, trusts=trusts)


def credentials_of(settings: ClientSettings, target: Target) -> tuple[grpc.ChannelCredentials, str]:
    """What to open a channel with, and the name that the server's certificate must bear; empty for its host.

    Raises InitializationError for authorities that cannot be read, and for a server that cannot be looked at although
    it is to be believed whoever it is.
    """
    import grpc

    if settings.insecure_skip_verify:
        certificate, name = _found_at(target)
        return grpc.ssl_channel_credentials(certificate.encode()), name
    if settings.ca_cert_file_path is None:
        return grpc.ssl_channel_credentials(), ""
    authorities = _authorities(settings.ca_cert_file_path)
    return grpc.ssl_channel_credentials(authorities.encode()), ""


def problem_of(settings: ClientSettings) -> InitializationError | None:
    """Why client and server do not agree about TLS; None if that is not it. Takes up to some seconds."""
    target = target_of(settings)
    # Behind a proxy the server cannot be looked at from here.
    if target.address.startswith("unix:") or settings.insecure_skip_verify or settings.http_proxy_url:
        return None
    try:
        words = _problem_with(target, settings.ca_cert_file_path) if target.secure else _problem_without(target)
    except OSError:
        return None
    return _error(words) if words else None


def _problem_without(target: Target) -> str:
    """A server that speaks TLS, to a client that does not."""
    context = _believing()
    with contextlib.suppress(ssl.SSLError, ConnectionError, TimeoutError), _connected(target, context):
        return (
            f"The server at {target.address} speaks TLS, and this client was told not to. Leave out `insecure`, and "
            f"write the endpoint as https://{target.address}."
        )
    return ""


def _problem_with(target: Target, ca_file: str | None) -> str:
    context = ssl.create_default_context(cafile=ca_file)
    # As gRPC does: what is named is believed, also if it is not the root of its authority.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["h2"])
    try:
        with _connected(target, context):
            return ""
    except ssl.SSLCertVerificationError as error:
        return _words_of(error, target, ca_file)
    except TimeoutError:
        return ""
    except (ssl.SSLEOFError, ConnectionError):
        # So does a server that is just ending: only what it says in clear words shows that it knows no others.
        if not _speaks_plainly(target):
            return ""
    except ssl.SSLError as error:
        if "ALERT" in (error.reason or ""):
            return f"The server at {target.address} refuses this client's TLS: {error.reason}."
    return (
        f"The server at {target.address} does not speak TLS. If it is meant to, ask who runs it; if it is one of your "
        f"own, write http://{target.address}, or give `insecure`."
    )


def _speaks_plainly(target: Target) -> bool:
    """Whether the server answers HTTP/2 without TLS."""
    with _plainly_connected(target) as connection:
        try:
            connection.sendall(_HTTP2_GREETING)
            answer = connection.recv(_FRAME_HEADER_BYTES, socket.MSG_WAITALL)
        except (ConnectionError, TimeoutError):
            return False
    return len(answer) == _FRAME_HEADER_BYTES and answer[_FRAME_KIND] == _SETTINGS


def _words_of(error: ssl.SSLCertVerificationError, target: Target, ca_file: str | None) -> str:
    whose = f"The certificate of the server at {target.address}"
    if error.verify_code == _EXPIRED:
        return f"{whose} has expired. Whoever runs the platform has to renew it."
    if error.verify_code == _NOT_YET:
        return f"{whose} is not valid yet. See that the clock of this machine is right."
    if error.verify_code in _WRONG_NAME:
        return f"{whose} is for another name. Use the name in the certificate as the endpoint."
    by = f"in {ca_file}" if ca_file else "that this machine knows"
    return (
        f"{whose} was not issued by an authority {by}. Name the file of the right one with `caCertFilePath` in the "
        "configuration, FLYTE_ADMIN_CACERTFILEPATH, or ca_cert_file_path."
    )


def _authorities(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            content = file.read()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=content)
    except ssl.SSLError:
        raise _error(f"The file {path} (caCertFilePath) holds no certificate in PEM.") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no PEM"
        raise _error(f"The file {path} (caCertFilePath) cannot be read: {why}.") from None
    return content


def _found_at(target: Target) -> tuple[str, str]:
    """The certificate that the server has, and a name that it bears."""
    try:
        with _connected(target, _believing()) as connection:
            content = connection.getpeercert(binary_form=True)
        assert content is not None
        certificate = ssl.DER_cert_to_PEM_cert(content)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=certificate)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        with _connected(target, context) as connection:
            return certificate, _name_in(connection.getpeercert() or {})
    except OSError as error:
        raise _error(f"The server at {target.address} cannot be believed without verification: {error}") from None


def _name_in(certificate: Mapping[str, Any]) -> str:
    """A name under which gRPC takes the certificate."""
    return next((value.replace("*", "any") for _, value in certificate.get("subjectAltName", ())), "")


def _believing() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


@contextlib.contextmanager
def _connected(target: Target, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    host, _ = target.host_and_port
    with _plainly_connected(target) as plain, context.wrap_socket(plain, server_hostname=host) as connection:
        yield connection


def _plainly_connected(target: Target) -> socket.socket:
    try:
        return socket.create_connection(target.host_and_port, timeout=_PATIENCE_S)
    except OSError as error:
        raise _NobodyThere(str(error)) from error


def _error(words: str) -> InitializationError:
    return InitializationError("TlsError", "user", words)
