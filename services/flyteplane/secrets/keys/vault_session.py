"""Talking to Vault: logging in, logging in again when the token has run out, and telling failures apart.

No message of Vault or of the HTTP library reaches an error of the platform: they may quote paths, tokens and plaintext.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flyteplane.foundation.errors import FailedPrecondition, PlatformError, Unavailable
from flyteplane.observe import get_logger
from flyteplane.secrets.settings import VaultSettings

_log = get_logger("secrets.vault")


class Refused(Exception):
    """Vault refused what it was asked, for what stood in the question. `words` are its own; they go nowhere."""

    def __init__(self, words: str) -> None:
        super().__init__("refused")
        self.words = words


class VaultSession:
    """A client of Vault for any thread. Nothing is sent before the first question."""

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        self._turn = threading.Lock()
        self._client: Any = None

    def ask(self, question: Callable[[Any], Any]) -> Any:
        """The answer to a question that is put to a client of `hvac`. Blocks.

        Raises:
            Refused: the question was refused.
            LookupError: there is no such thing.
            Unavailable: Vault cannot be reached, is sealed, or lets the platform in no more.
            FailedPrecondition: the package or the credentials are missing.
        """
        from hvac import exceptions

        try:
            client = self._logged_in()
            try:
                return question(client)
            except (exceptions.Forbidden, exceptions.Unauthorized):
                # The token has run out, or an agent has replaced it.
                return question(self._logged_in(instead_of=client))
        except exceptions.InvalidRequest as error:
            raise Refused(str(error.args[0] if error.args else "")) from None
        except exceptions.InvalidPath:
            raise LookupError from None
        except (exceptions.Forbidden, exceptions.Unauthorized):
            raise self._away(
                "refuses the platform", "See that its token is valid and its policy allows the key."
            ) from None
        except exceptions.VaultDown:
            raise self._away("is sealed", "Unseal it.") from None
        except (exceptions.VaultError, OSError, ValueError, KeyError, TypeError) as error:
            # Whatever goes wrong on the way is an OSError, also of the HTTP library.
            _log.warning("vault_does_not_answer", problem=type(error).__name__)
            raise self._away("does not answer as it should", "See that it is up and can be reached.") from None

    def _logged_in(self, *, instead_of: Any = None) -> Any:
        """A client with a token; a new one if there is none or it is the one that was refused."""
        with self._turn:
            if self._client is None or self._client is instead_of:
                self._client = self._log_in()
            return self._client

    def _log_in(self) -> Any:
        import hvac

        given = self._settings
        # A timeout for each attempt to connect and for each wait for an answer; requests takes both as one number.
        client: Any = hvac.Client(
            url=given.address,
            timeout=given.timeout_s,
            namespace=given.namespace or None,
            verify=str(given.ca_file) if given.ca_file is not None else True,
        )
        # Not one that lies around in the environment or home of whoever started the platform.
        client.token = None
        if given.approle is not None:
            secret_id = _content(given.approle.secret_id_file)
            try:
                client.auth.approle.login(given.approle.role_id, secret_id, mount_point=given.approle.mount)
            except hvac.exceptions.InvalidRequest:
                # Not what was asked is refused, but who asks.
                raise self._away("refuses the login", "See that role_id and secret id are valid.") from None
        elif given.token_file is not None:
            client.token = _content(given.token_file)
        return client

    def _away(self, what: str, mend: str) -> PlatformError:
        return Unavailable(f"Vault at {self._settings.address} {what}", reason="VAULT", mend=mend)


def _content(path: Path) -> str:
    try:
        content = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        content = ""
    if not content:
        raise FailedPrecondition(
            f"{path} holds no credentials for Vault", reason="VAULT", mend="See that the file is there and readable."
        )
    return content
