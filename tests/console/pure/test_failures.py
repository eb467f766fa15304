"""Whatever fails, the page says what can be done next, and nothing that should stay hidden."""

from __future__ import annotations

import pytest

from flyteplane.console.failures import NOT_FOUND, failure_of
from flyteplane.foundation import errors
from flyteplane.foundation.errors import PlatformError

EVERY = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PlatformError)]


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("changing", [True, False], ids=["change", "page"])
def test_every_failure_says_what_to_do_next(kind: type[PlatformError], changing: bool) -> None:
    told = failure_of(kind("it is so"), changing=changing)
    assert told.mend
    assert told.status >= 400
    # A change is never sent again by a link, and a page only where waiting helps.
    assert told.again is (not changing and told.status in (429, 500, 501, 503, 504))
    named = failure_of(kind("it is so", mend="Do that."), changing=changing)
    assert "Do that." in named.text or named == NOT_FOUND


def test_what_may_not_be_seen_is_told_like_what_is_not_there() -> None:
    hidden = failure_of(errors.PermissionDenied("secret-run is not yours"), changing=False)
    assert hidden == failure_of(errors.NotFound("no run"), changing=False) == NOT_FOUND


def test_a_change_that_may_have_happened_says_so() -> None:
    told = failure_of(errors.Unavailable("gone", mend="Try again."), changing=True)
    assert "look before you try again" in told.mend
