"""Making and revoking API keys, giving and taking roles.

Nobody gives, sees or takes what lies outside of its own scopes: the policy of each rpc asks for the role admin where a
new grant holds, and what is listed or revoked by name is compared here. What one may not see does not exist.
"""

from collections.abc import Callable, Sequence
from typing import Final

from flyte.spec.names import NameKind, check_name
from flyteplane.admin.application.identity_ports import KeyStore, RoleStore
from flyteplane.admin.application.pages import page_of
from flyteplane.admin.application.setting_rules import spec_rules
from flyteplane.admin.domain.api_key import (
    SECRET_BYTES,
    ApiKey,
    StoredKey,
    check_grants,
    derived_secret,
    digest_of,
    lifetime_us,
    refuse_guessable,
    written,
)
from flyteplane.admin.domain.page_token import PageTokens
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import AlreadyExists, InvalidArgument, NotFound
from flyteplane.foundation.ids import IdSource
from flyteplane.foundation.repetition import mark_of
from flyteplane.identity.callers import Caller, Grant, Role
from flyteplane.identity.settings import SubjectGrant
from flyteplane.rpc.list_pages import ListPage, whole_list_size

#: Characters, as many as the audit log keeps of one.
_LONGEST_SUBJECT: Final = 300


class KeysAndRoles:
    """The use cases. One instance serves all calls.

    Args:
        from_file: roles that the operator's file gives.
        derivation_key: of the platform; with it a key that is asked for again is made again.
        changed: called once somebody has lost something.
    """

    def __init__(
        self,
        *,
        keys: KeyStore,
        roles: RoleStore,
        clock: Clock,
        ids: IdSource,
        from_file: Sequence[SubjectGrant],
        changed: Callable[[], None],
        tokens: PageTokens,
        derivation_key: bytes,
    ) -> None:
        self._keys = keys
        self._roles = roles
        self._clock = clock
        self._ids = ids
        self._from_file = from_file
        self._changed = changed
        self._tokens = tokens
        self._derivation_key = derivation_key

    async def create_key(
        self, name: str, *, grants: tuple[Grant, ...], valid_for_us: int | None, by: str, request_id: str = ""
    ) -> tuple[ApiKey, str]:
        """A new key, and the key as its holder has it: the same for all requests of a caller with the same id.

        Raises InvalidArgument, AlreadyExists.
        """
        with spec_rules():
            check_name(name, kind=NameKind.PROJECT, field="name")
        check_grants(grants)
        now_us = self._now_us()
        key = ApiKey(
            name=name,
            grants=tuple(sorted(set(grants))),
            created_at_us=now_us,
            created_by=by,
            expires_at_us=now_us + lifetime_us(valid_for_us),
        )
        request = mark_of("CreateApiKey", request_id, by=by, content=(name, key.grants, valid_for_us))
        secret = self._secret(name, by=by, request_id=request_id)
        stored = await self._keys.add(StoredKey(key, digest_of(secret)), request=request)
        if stored is None or stored.digest != digest_of(secret):
            raise AlreadyExists(
                f"there is or was a key {name!r}",
                reason="KEY_EXISTS",
                field="name",
                mend="Choose another name: the audit log tells keys apart by their names.",
            )
        return stored.key, written(name, secret)

    def _secret(self, name: str, *, by: str, request_id: str) -> str:
        if not request_id:
            return self._ids.unique(SECRET_BYTES)
        refuse_guessable(request_id)
        return derived_secret(self._derivation_key, by=by, name=name, request_id=request_id)

    async def list_keys(self, caller: Caller, *, size: int, token: str) -> ListPage[ApiKey]:
        """A page of the keys of which the caller could give each role, by name.

        Raises InvalidArgument (PAGE_SIZE, PAGE_TOKEN).
        """

        async def read(after: str, limit: int) -> Sequence[ApiKey]:
            return await self._keys.list(after=after, limit=limit)

        return await page_of(
            read,
            seen=lambda key: _rules(caller, key.grants),
            position=lambda key: key.name,
            size=whole_list_size(size),
            token=token,
            tokens=self._tokens,
            query="keys",
        )

    async def revoke_key(self, name: str, caller: Caller) -> None:
        """End a key. Raises NotFound."""
        stored = await self._keys.find(name)
        if stored is None or not _rules(caller, stored.key.grants):
            raise NotFound(
                f"there is no key {name!r}",
                reason="KEY_NOT_FOUND",
                field="name",
                mend="`flyte get api-key` lists the keys.",
            )
        await self._keys.revoke(name, at_us=self._now_us())
        self._changed()

    async def grant(self, subject: str, grant: Grant) -> None:
        """Give a subject a role. Raises InvalidArgument."""
        _check_subject(subject)
        await self._roles.grant(subject, grant)
        self._changed()

    async def revoke(self, subject: str, grant: Grant) -> None:
        """Take it away. Raises InvalidArgument; also for a role that the operator's file gives."""
        _check_subject(subject)
        if SubjectGrant(subject=subject, grant=grant) in self._from_file:
            raise InvalidArgument(
                f"{subject} has this role by the operator's file",
                reason="GRANT_OF_FILE",
                field="subject",
                mend="Take it out of identity.grants there.",
            )
        await self._roles.revoke(subject, grant)
        self._changed()

    async def list_grants(self, caller: Caller, *, subject: str, size: int, token: str) -> ListPage[SubjectGrant]:
        """A page of roles in the caller's scopes, those of the operator's file too; of one subject, or of all for "".

        Raises InvalidArgument (PAGE_SIZE, PAGE_TOKEN).
        """
        # Those of the file and those of the store are one list; there are as many as an organisation has groups.
        found = {*self._from_file, *await self._roles.list()}
        wanted = sorted((_place_of(one), one) for one in found if subject in ("", one.subject))

        async def read(after: str, limit: int) -> Sequence[SubjectGrant]:
            return [one for place, one in wanted if place > after][:limit]

        return await page_of(
            read,
            seen=lambda one: _rules(caller, (one.grant,)),
            position=_place_of,
            size=whole_list_size(size),
            token=token,
            tokens=self._tokens,
            query=repr(("grants", subject)),
        )

    def _now_us(self) -> int:
        return int(self._clock.now() * 1e6)


def _rules(caller: Caller, grants: Sequence[Grant]) -> bool:
    return all(caller.may(Role.ADMIN, grant.scope) for grant in grants)


def _place_of(one: SubjectGrant) -> str:
    """Where a role stands in the list: texts in this order are in the order of subject, role and scope."""
    return "\0".join((one.subject, str(int(one.grant.role)), one.grant.scope.project, one.grant.scope.domain))


def _check_subject(subject: str) -> None:
    prefix, separator, name = subject.partition(":")
    printable = subject.isprintable() and len(subject) <= _LONGEST_SUBJECT
    if not (separator and prefix and name and printable) or prefix in ("key", "local"):
        raise InvalidArgument(
            f"{subject!r} is no subject that roles can be given to",
            reason="SUBJECT",
            field="subject",
            limit=f"{_LONGEST_SUBJECT} characters",
            mend="Name a person or a group, such as oidc:alice@example.org or group:data. Keys get roles when made.",
        )
