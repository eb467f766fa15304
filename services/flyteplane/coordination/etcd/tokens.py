"""The token that says who we are, got for a password and renewed when a member no longer knows it."""

import asyncio
from pathlib import Path
from typing import TypeAlias

import grpc

from etcdserverpb.auth_pb2 import AuthenticateRequest
from flyteplane.coordination.etcd.errors import is_without_authentication, translated
from flyteplane.coordination.etcd.members import Member
from flyteplane.coordination.etcd.settings import EtcdSettings
from flyteplane.foundation.errors import FailedPrecondition
from flyteplane.observe import get_logger

_log = get_logger("coordination")

Metadata: TypeAlias = tuple[tuple[str, str], ...]


class Tokens:
    """The token of one client; many calls may ask for it at once. Without a user name there is none."""

    def __init__(self, settings: EtcdSettings) -> None:
        self._username = settings.username
        self._password_file = settings.password_file
        self._timeout_s = settings.timeout_s
        self._token: str | None = None
        self._asking = asyncio.Lock()

    async def metadata(self, member: Member) -> Metadata:
        """What goes with a call.

        Raises:
            Unauthenticated: name or password is wrong.
            Unavailable: the member does not answer.
        """
        if self._password_file is None:
            return ()
        if self._token is None:
            async with self._asking:
                if self._token is None:
                    self._token = await self._authenticate(member, self._password_file)
        return (("token", self._token),) if self._token else ()

    def forget(self, used: Metadata) -> bool:
        """A call with this metadata was refused; returns whether to try it again, with a new token."""
        if not used:
            return False
        if used == (("token", self._token),):
            self._token = None
        return True

    async def _authenticate(self, member: Member, password_file: Path) -> str:
        request = AuthenticateRequest(name=self._username, password=_password(password_file))
        try:
            return (await member.auth.Authenticate(request, timeout=self._timeout_s)).token
        except grpc.aio.AioRpcError as error:
            if is_without_authentication(error):
                _log.warning(
                    "coordination_store_is_open", problem="it asks nobody to authenticate; anybody may change it"
                )
                return ""
            raise translated(error, endpoint=member.endpoint) from error


def _password(file: Path) -> str:
    try:
        return file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FailedPrecondition(f"the password in {file} cannot be read", field="password_file") from error
