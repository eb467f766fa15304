"""TLS of listeners that speak no gRPC, by certificates that may change while the platform runs."""

from __future__ import annotations

import ssl
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyteplane.rpc.certificates import CertificateContent, Certificates


def server_context(certificates: Certificates) -> ssl.SSLContext:
    """The context of a listener; each new connection is met with what the files hold by then."""
    used = certificates.current()
    present = _context(used)

    def meet(connection: ssl.SSLSocket | ssl.SSLObject, *_: object) -> None:
        nonlocal used, present
        if (found := certificates.current()) is not used:
            used, present = found, _context(found)
        connection.context = present

    listening = _context(used)
    # Called in each handshake before a certificate is shown, also for clients that ask for no name.
    listening.sni_callback = meet
    return listening


def _context(content: CertificateContent) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # Python reads certificates from files only. The files that it came from may hold something else by now.
    with tempfile.NamedTemporaryFile() as file:
        file.write(content.key + b"\n" + content.chain)
        file.flush()
        context.load_cert_chain(file.name)
    return context
