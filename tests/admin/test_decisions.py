"""The pure decisions of admin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyteplane.admin.domain.delivery import Verdict, after_failure, retry_delay_s
from flyteplane.admin.domain.page_token import PageTokens
from flyteplane.admin.domain.run_identity import generated_run_name, run_digest
from flyteplane.foundation.errors import (
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    NotFound,
    PlatformError,
    ResourceExhausted,
    Unavailable,
)


@pytest.mark.parametrize(
    ("error", "before", "after"),
    [
        (InvalidArgument("x"), Verdict.TAKE_BACK, Verdict.FAIL),
        (NotFound("x"), Verdict.TAKE_BACK, Verdict.FAIL),
        (ResourceExhausted("x"), Verdict.TAKE_BACK, Verdict.RETRY),
        (Unavailable("x"), Verdict.RETRY, Verdict.RETRY),
        (DeadlineExceeded("x"), Verdict.RETRY, Verdict.RETRY),
        (Internal("x"), Verdict.RETRY, Verdict.RETRY),
    ],
)
def test_what_a_refusal_means_depends_on_what_was_said_before(
    error: PlatformError, before: Verdict, after: Verdict
) -> None:
    assert after_failure(error, acknowledged=False, attempt=1, fraction=0.5).verdict is before
    assert after_failure(error, acknowledged=True, attempt=1, fraction=0.5).verdict is after


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_retries_are_spread_and_never_further_apart_than_fifteen_seconds(attempt: int, fraction: float) -> None:
    delay = retry_delay_s(Unavailable("x"), attempt=attempt, fraction=fraction)
    assert 0.05 <= delay <= 15.0


def test_a_retry_waits_as_long_as_it_is_asked_to() -> None:
    assert retry_delay_s(ResourceExhausted("x", retry_after_s=40.0), attempt=1, fraction=0.0) == 40.0


@given(st.text(min_size=1), st.text(), st.text())
def test_a_page_token_opens_for_its_own_list_only(position: str, query: str, other: str) -> None:
    tokens = PageTokens(bytes(range(32)))
    token = tokens.make(position, query=query)
    assert tokens.read(token, query=query) == position
    if other != query:
        with pytest.raises(InvalidArgument):
            tokens.read(token, query=other)
    with pytest.raises(InvalidArgument):
        PageTokens(bytes(32)).read(token, query=query)


@given(st.text(), st.text(), st.text())
def test_a_generated_name_is_a_dns_label_and_its_parts_do_not_run_together(one: str, two: str, rest: str) -> None:
    name = generated_run_name(project=one, domain=two, created_by="me", request_id=rest)
    assert name.isascii()
    assert name.isalnum()
    assert name == name.lower()
    assert name[0] == "r"
    assert len(name) == 20
    moved = generated_run_name(project=one + "x", domain=two, created_by="me", request_id=rest)
    assert moved != generated_run_name(project=one, domain="x" + two, created_by="me", request_id=rest)


def test_a_run_digest_tells_its_parts_apart() -> None:
    digests = {
        run_digest(task_digest=a, inputs=b, inputs_digest=c, settings=d)
        for a, b, c, d in ((b"ab", b"c", b"", b""), (b"a", b"bc", b"", b""), (b"ab", b"", b"c", b""))
    }
    assert len(digests) == 3
