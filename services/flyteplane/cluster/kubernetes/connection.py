"""How this process reaches one API server: a kubeconfig or the service account of its own pod.

Only this module loads the Kubernetes client. Credentials that expire are read again when the server refuses them, as
plugins and cloud logins hand out new ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument

if TYPE_CHECKING:
    import aiohttp
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.client.rest import RESTClientObject

#: Connections to one server; each watch keeps one for itself.
_CONNECTIONS: Final = 100
#: Time to connect; the whole of a request has a limit of its own.
_CONNECT_S: Final = 5.0


class Connection:
    """A session with one API server.

    Args:
        kubeconfig: its path; empty for the service account of the pod that this runs in.
        context: of the kubeconfig; empty for its current one.
    """

    def __init__(self, *, kubeconfig: str, context: str) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._configuration: Configuration | None = None
        self._rest: RESTClientObject | None = None
        self._opening = asyncio.Lock()

    @property
    def server(self) -> str:
        """Its address, for people."""
        return "" if self._configuration is None else str(self._configuration.host)

    @property
    def source(self) -> str:
        """Where address and credentials come from, for people."""
        return f"kubeconfig {self._kubeconfig}" if self._kubeconfig else "the pod's service account"

    async def open(self) -> None:
        """Reads address and credentials; connects to nothing yet.

        Raises:
            InvalidArgument: the kubeconfig is missing or cannot be used.
            FailedPrecondition: the Kubernetes client is not installed.
        """
        try:
            from kubernetes.aio.client.rest import RESTClientObject
        except ImportError as error:
            raise FailedPrecondition(
                "clusters of the kind kubernetes need the packages kubernetes and aiohttp, which are not installed",
                reason="KUBERNETES_CLIENT_MISSING",
                mend="Install them: pip install 'flyteplane[kubernetes]'.",
            ) from error

        async with self._opening:
            configuration = await self._load()
            before, self._rest = self._rest, RESTClientObject(configuration)
            self._configuration = configuration
            if before is not None:
                await before.close()

    async def _load(self) -> Configuration:
        from kubernetes.aio import config
        from kubernetes.aio.client import Configuration

        path = Path(self._kubeconfig).expanduser()
        if self._kubeconfig and not path.is_file():
            raise InvalidArgument(
                f"there is no kubeconfig {self._kubeconfig}",
                reason="KUBECONFIG_MISSING",
                field="kubeconfig",
                mend="Give the path of a kubeconfig, or none inside of the cluster.",
            )
        configuration = Configuration()
        configuration.connection_pool_maxsize = _CONNECTIONS
        try:
            if self._kubeconfig:
                await config.load_kube_config(  # type: ignore[no-untyped-call]  # the client has no types
                    str(path), context=self._context or None, client_configuration=configuration, persist_config=False
                )
            else:
                config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]  # the same
        except Exception as error:  # The loader raises what its parsers raise: YAML, base64, missing keys.
            raise InvalidArgument(
                f"{self.source} cannot be used: {' '.join(str(error).split())[:500]}",
                reason="KUBECONFIG_INVALID",
                field="kubeconfig",
                mend="Check it with `kubectl --kubeconfig ... get pods`, and that its current context exists.",
            ) from error
        return configuration

    async def request(
        self, method: str, path: str, *, body: Mapping[str, Any] | None, timeout_s: float | None
    ) -> aiohttp.ClientResponse:
        """Sends a request; its answer is not read yet. `timeout_s` covers all of it; None: only the connecting.

        Raises:
            OSError, aiohttp.ClientError, TimeoutError: there is no answer.
        """
        import aiohttp

        assert self._configuration is not None
        assert self._rest is not None
        headers = {"Accept": "application/json"}
        token = await self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token is not None:
            headers["Authorization"] = token
        response = await self._rest.request(  # type: ignore[no-untyped-call]  # the client has no types
            method,
            self._configuration.host + path,
            headers=headers,
            body=body,
            _request_timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_S),
        )
        answer: aiohttp.ClientResponse = response.response
        return answer

    async def close(self) -> None:
        """Ends all connections."""
        if self._rest is not None:
            await self._rest.close()
