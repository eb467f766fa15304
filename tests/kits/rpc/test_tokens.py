"""Tokens: what is minted is read back, and nothing else is."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import timeit
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyteapi.common.v1.identity_pb2 import RunId, Scope
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool
from flyteapi.task.v1.task_spec_pb2 import SecretRequest, TaskSpec
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import Unauthenticated
from flyteplane.rpc.key_files import create_key_file
from flyteplane.rpc.token_keys import KeysInFolder, KnownKeys, name_of
from flyteplane.rpc.tokens import (
    Claims,
    ReplicaTokens,
    TokenExpired,
    TokenKind,
    TokenMinter,
    TokenVerifier,
    attempt_token_mint,
    secret_id,
)

KEY = bytes(range(32))
CLOCK = ManualClock()
MINTER = TokenMinter(KEY, clock=CLOCK)
VERIFIER = TokenVerifier(KEY, clock=CLOCK)
EXPIRES = int(CLOCK.now()) + 60


def attempt_token(minter: TokenMinter = MINTER, *, secrets: tuple[str, ...] = ("token", "db/password")) -> str:
    return minter.attempt_token(
        project="p", domain="d", run="r", action="a0", attempt=2, lease=2**64 - 1, secrets=secrets, ttl_s=60.0
    )


def test_an_attempt_token_says_what_was_minted() -> None:
    assert VERIFIER.verify(attempt_token()) == Claims(
        kind=TokenKind.ATTEMPT,
        project="p",
        domain="d",
        run="r",
        action="a0",
        attempt=2,
        lease=2**64 - 1,
        secrets=frozenset({"token", "db/password"}),
        expires_at=EXPIRES,
    )


def test_a_replica_token_says_what_was_minted() -> None:
    token = MINTER.replica_token(project="p", domain="d", pool="f" * 64, replica="r-1", secrets=["token"], ttl_s=60.0)
    assert VERIFIER.verify(token) == Claims(
        kind=TokenKind.REPLICA,
        project="p",
        domain="d",
        pool="f" * 64,
        replica="r-1",
        secrets=frozenset({"token"}),
        expires_at=EXPIRES,
    )


def test_a_token_is_an_ordinary_jwt() -> None:
    options: Any = {"verify_exp": False}
    content = jwt.decode(attempt_token(), KEY, algorithms=["HS256"], audience="flyteplane", options=options)
    assert (content["run"], content["exp"]) == ("r", EXPIRES)
    assert jwt.get_unverified_header(attempt_token()) == {"alg": "HS256", "typ": "JWT", "kid": name_of(KEY)}


def test_a_token_ends_at_its_time() -> None:
    clock = ManualClock()
    token = attempt_token(TokenMinter(KEY, clock=clock))
    verifier = TokenVerifier(KEY, clock=clock)
    clock.advance(59.0)
    verifier.verify(token)
    clock.advance(1.0)
    with pytest.raises(TokenExpired, match="expired") as caught:
        verifier.verify(token)
    assert caught.value.claims.run == "r"


def test_a_token_under_another_key_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        VERIFIER.verify(attempt_token(TokenMinter(bytes(32), clock=CLOCK)))


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é", "\0", "x" * 10_000, f"{attempt_token()}{'A' * 9000}"])
def test_what_is_no_token_is_refused_without_being_quoted(token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        VERIFIER.verify(token)
    assert caught.value.__cause__ is None
    assert len(token) < 5 or token not in str(caught.value)


@given(position=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=6))
def test_a_token_that_was_changed_anywhere_is_refused(position: int, bit: int) -> None:
    token = attempt_token()
    index = position % len(token)
    changed = token[:index] + chr(ord(token[index]) ^ (1 << bit)) + token[index + 1 :]
    if same_bytes(changed, token):
        return
    with pytest.raises(Unauthenticated):
        VERIFIER.verify(changed)


def same_bytes(changed: str, token: str) -> bool:
    """The last character of a part has bits that stand for nothing."""
    try:
        return [decoded(part) for part in changed.split(".")] == [decoded(part) for part in token.split(".")]
    except ValueError:
        return False


def decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


def test_an_unsigned_token_is_refused() -> None:
    content = jwt.decode(attempt_token(), options={"verify_signature": False})
    for forged in (jwt.encode(content, "", algorithm="none"), jwt.encode(content, bytes(64), algorithm="HS512")):
        with pytest.raises(Unauthenticated):
            VERIFIER.verify(forged)


@pytest.mark.parametrize("missing", ["aud", "exp", "kind", "project", "domain", "secrets"])
def test_a_token_that_says_too_little_is_refused(missing: str) -> None:
    content = jwt.decode(attempt_token(), options={"verify_signature": False})
    del content[missing]
    with pytest.raises(Unauthenticated):
        VERIFIER.verify(jwt.encode(content, KEY, algorithm="HS256"))


@pytest.mark.parametrize("changes", [{"kind": "admin"}, {"aud": "elsewhere"}, {"secrets": 5}, {"exp": "soon"}])
def test_a_token_that_says_something_else_is_refused(changes: dict[str, Any]) -> None:
    content = jwt.decode(attempt_token(), options={"verify_signature": False}) | changes
    with pytest.raises(Unauthenticated):
        VERIFIER.verify(jwt.encode(content, KEY, algorithm="HS256"))


@pytest.mark.parametrize("size", [0, 16, 64])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        TokenMinter(bytes(size), clock=CLOCK)
    with pytest.raises(ValueError, match="32 bytes"):
        TokenVerifier(bytes(size), clock=CLOCK)


def test_the_scheduler_mints_for_the_secrets_of_the_task() -> None:
    mint = attempt_token_mint(MINTER)
    requests = [SecretRequest(key="token", env_var="TOKEN"), SecretRequest(key="password", group="db")]
    claims = VERIFIER.verify(mint(RunId(project="p", domain="d", name="r"), "a1", 3, 9, requests))
    assert (claims.run, claims.action, claims.attempt, claims.lease) == ("r", "a1", 3, 9)
    assert claims.secrets == {"token", "db/password"}


def test_the_token_that_a_replica_carries_names_it_and_no_secret() -> None:
    tokens = ReplicaTokens(MINTER, VERIFIER)
    template = TaskSpec(secrets=[SecretRequest(key="token", env_var="TOKEN")])
    declaration = DeclarePool(pool="f" * 64, scope=Scope(project="p", domain="d"), template=template)
    said = tokens.claims(tokens.hello_token(declaration, replica="r-1"))
    assert (said.kind, said.project, said.domain, said.pool, said.replica) == ("replica", "p", "d", "f" * 64, "r-1")
    assert not said.secrets
    assert VERIFIER.verify(tokens.mint(declaration, replica="r-1")).secrets == {"token"}
    assert tokens.claims(attempt_token()).kind == "attempt"


def test_ids_of_secrets_are_distinct() -> None:
    assert secret_id("key") == "key"
    assert secret_id("key", "group") == "group/key"


def test_minting_costs_next_to_nothing() -> None:
    best_s = min(timeit.repeat(lambda: attempt_token(secrets=()), number=200, repeat=20)) / 200
    assert best_s < 50e-6


def test_minting_loads_neither_jwt_nor_cryptography() -> None:
    program = (
        "import json, sys\n"
        "from flyteplane.foundation.clock import SystemClock\n"
        "from flyteplane.rpc.tokens import TokenMinter, TokenVerifier\n"
        "TokenVerifier(bytes(32), clock=SystemClock())\n"
        "TokenMinter(bytes(32), clock=SystemClock()).replica_token(project='p', domain='d', pool='q', replica='r')\n"
        "print(json.dumps(sorted({'jwt', 'cryptography', 'grpc', 'google.protobuf'} & set(sys.modules))))\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(finished.stdout) == []


# --- changing the key -----------------------------------------------------------------------------------------------


def rotate(folder: Path) -> None:
    """Changes the key, as people are told to."""
    (folder / "tokens.key").rename(folder / "tokens.previous.key")


def test_processes_started_before_and_after_a_change_of_the_key_understand_each_other(tmp_path: Path) -> None:
    clock = ManualClock()
    before = KeysInFolder(tmp_path, clock=clock)
    old_token = attempt_token(TokenMinter(before, clock=clock))
    rotate(tmp_path)
    after = KeysInFolder(tmp_path, clock=clock)
    assert after.present != before.present
    new_token = attempt_token(TokenMinter(after, clock=clock))
    clock.advance(1.0)
    for keys in (before, after):
        for token in (old_token, new_token):
            assert TokenVerifier(keys, clock=clock).verify(token).run == "r"
    # It goes on signing with the key of its start.
    assert attempt_token(TokenMinter(before, clock=clock)).split(".")[0] == old_token.split(".")[0]


def test_a_key_that_was_taken_away_opens_nothing_after_a_start(tmp_path: Path) -> None:
    clock = ManualClock()
    token = attempt_token(TokenMinter(KeysInFolder(tmp_path, clock=clock), clock=clock))
    rotate(tmp_path)
    (tmp_path / "tokens.previous.key").unlink()
    with pytest.raises(Unauthenticated):
        TokenVerifier(KeysInFolder(tmp_path, clock=clock), clock=clock).verify(token)


def test_tokens_under_unknown_keys_have_the_folder_read_once_a_second(tmp_path: Path) -> None:
    clock = ManualClock()
    keys = KeysInFolder(tmp_path, clock=clock)
    other = KnownKeys(bytes(32))
    token = attempt_token(TokenMinter(other, clock=clock))
    verifier = TokenVerifier(keys, clock=clock)
    with pytest.raises(Unauthenticated):
        verifier.verify(token)
    create_key_file(tmp_path / "tokens.previous.key", key=other.present)
    with pytest.raises(Unauthenticated):
        verifier.verify(token)
    clock.advance(1.0)
    assert verifier.verify(token).run == "r"


def test_a_token_without_the_name_of_a_key_is_checked_with_the_present_one() -> None:
    content = jwt.decode(attempt_token(), options={"verify_signature": False})
    assert VERIFIER.verify(jwt.encode(content, KEY, algorithm="HS256")).run == "r"


def test_the_name_of_one_key_does_not_help_the_signature_of_another() -> None:
    keys = KnownKeys(KEY, others=[bytes(32)])
    content = jwt.decode(attempt_token(), options={"verify_signature": False})
    forged = jwt.encode(content, b"f" * 32, algorithm="HS256", headers={"kid": name_of(KEY)})
    with pytest.raises(Unauthenticated):
        TokenVerifier(keys, clock=CLOCK).verify(forged)
