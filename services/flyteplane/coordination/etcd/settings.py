"""Where etcd is and who we are to it, checked before anything connects."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flyteplane.foundation.errors import InvalidArgument

_PLAIN: Final = "http://"
_SECURE: Final = "https://"


@dataclass(frozen=True, slots=True)
class EtcdSettings:
    """How to reach the coordination store. Files are read when they are needed, so passwords may be rotated.

    Attributes:
        endpoints: members of one cluster, each `host:port`, `http://host:port` or `https://host:port`. Calls go to one
            of them until it fails, then to the next.
        ca_file: certificates in PEM that the members' are checked against; None for those of the system.
        cert_file: our own certificate in PEM; None when the members ask for none.
        key_file: the key of `cert_file`.
        username: empty when the store asks nobody to authenticate, or goes by the certificate's name.
        password_file: holds the password; a line end after it does not count.
        prefix: stands before every key, so that several installations may share a store; empty, or ends with a slash.
        timeout_s: the deadline of each call, in seconds; a read is tried again within it.

    Raises:
        InvalidArgument: these settings can never work.
    """

    endpoints: tuple[str, ...]
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    username: str = ""
    password_file: Path | None = None
    prefix: str = "/flyteplane/"
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        if not self.endpoints:
            raise InvalidArgument("etcd needs at least one endpoint", field="endpoints", mend="Give host:port.")
        for endpoint in self.endpoints:
            _check_address(endpoint)
        if len({self._is_secure(endpoint) for endpoint in self.endpoints}) > 1:
            raise InvalidArgument("some endpoints of etcd use TLS and some do not", field="endpoints")
        self._check_files()
        if self.prefix and not self.prefix.endswith("/"):
            raise InvalidArgument(
                "the prefix of keys ends with a slash", field="prefix", mend=f"Write {self.prefix}/ instead."
            )
        if self.timeout_s <= 0:
            raise InvalidArgument("a deadline is above 0 seconds", field="timeout_s", limit="> 0 s")

    @property
    def secure(self) -> bool:
        """Whether to speak TLS: the endpoints say https, or certificates are given and they say nothing."""
        return self._is_secure(self.endpoints[0])

    def _is_secure(self, endpoint: str) -> bool:
        if endpoint.startswith((_PLAIN, _SECURE)):
            return endpoint.startswith(_SECURE)
        return self.ca_file is not None or self.cert_file is not None

    def _check_files(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise InvalidArgument("a certificate and its key are given together", field="cert_file")
        if (self.ca_file or self.cert_file) and not self.secure:
            raise InvalidArgument(
                "certificates are given, but the endpoints say http", field="endpoints", mend="Write https:// instead."
            )
        if bool(self.username) != (self.password_file is not None):
            raise InvalidArgument("a user name and a password file are given together", field="username")
        for field in ("ca_file", "cert_file", "key_file", "password_file"):
            path: Path | None = getattr(self, field)
            if path is not None and not path.is_file():
                raise InvalidArgument(f"there is no file {path}", field=field)


def address_of(endpoint: str) -> str:
    """The host:port of an endpoint."""
    return endpoint.removeprefix(_PLAIN).removeprefix(_SECURE).removesuffix("/")


def _check_address(endpoint: str) -> None:
    host, colon, port = address_of(endpoint).rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536) or "/" in host:
        raise InvalidArgument(
            f"{endpoint!r} is no endpoint of etcd",
            field="endpoints",
            mend="Write host:port, http://host:port or https://host:port.",
        )
