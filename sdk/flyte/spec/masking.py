"""Keeping the values of secrets out of what is written: `[secret]` in their place, however the text is cut into pieces.

    mask = Mask.of(values)              # once for a set of values; None if there is nothing to recognise
    mask.bytes_of(data), mask.text(text)
    stream = mask.stream()              # for output that comes piece by piece
    stream.feed(piece) ... stream.finish()

Everything that belongs to an occurrence of a form (`flyte.spec.secret_forms`) of any value is masked; occurrences that
overlap or touch become one `[secret]`. A stream gives the same, whatever the pieces: it holds back an end that could be
the beginning of an occurrence, and nothing else.

The search looks for the first three bytes of all forms at once, with one compiled alternation, and compares the rest
only where these were found. The alternation knows three bytes of each form and no more, since `re` remembers patterns
for as long as the process lives; the forms themselves live as long as the mask does.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Self

from flyte.spec.secret_forms import LEAST_CHARACTERS, forms_of

MASK: Final = b"[secret]"

RELEASE_AFTER_S: Final = 0.5
"""How long a held end waits for what comes next before `MaskedStream.release` should be called."""

_ANCHOR_BYTES: Final = LEAST_CHARACTERS - 1
_LEAST_BLOCK_BYTES: Final = 256
_MOST_BLOCKS: Final = 64


class Mask:
    """Recognises the forms of some values. Immutable; may be used by several streams and threads."""

    __slots__ = ("_anchors", "_lengths", "_longest", "_ordered", "_patterns")

    def __init__(self, forms: Iterable[bytes]) -> None:
        self._patterns: Final = frozenset(block for form in forms for block in _blocks(form))
        self._ordered: Final = sorted(self._patterns)
        self._longest: Final = max(map(len, self._ordered))
        lengths: defaultdict[bytes, set[int]] = defaultdict(set)
        for pattern in self._ordered:
            lengths[pattern[:_ANCHOR_BYTES]].add(len(pattern))
        self._lengths: Final = {anchor: tuple(sorted(found, reverse=True)) for anchor, found in lengths.items()}
        self._anchors: Final = re.compile(_any_of(self._lengths))

    @classmethod
    def of(cls, values: Iterable[bytes]) -> Self | None:
        """Return a mask of the values, or None if none of them can be recognised: there are none, or all are short."""
        forms = {form for value in set(values) for form in forms_of(value)}
        return cls(forms) if forms else None

    def __repr__(self) -> str:
        return f"<Mask of {len(self._patterns)} patterns>"

    def stream(self) -> MaskedStream:
        """Return a stream for output that comes piece by piece."""
        return MaskedStream(self)

    def bytes_of(self, data: bytes) -> bytes:
        """Return the data with every occurrence masked."""
        stream = self.stream()
        return stream.feed(data) + stream.finish()

    def text(self, text: str) -> str:
        """Return the text with every occurrence masked; what cannot be encoded comes back escaped."""
        return self.bytes_of(text.encode("utf-8", "backslashreplace")).decode("utf-8", "replace")

    def occurs_in(self, data: bytes) -> bool:
        """Tell whether there is an occurrence in the data."""
        return bool(self.occurrences(data))

    def occurrences(self, data: bytes) -> list[tuple[int, int]]:
        """Return where occurrences begin and end, in order; what overlaps or touches is one."""
        runs: list[tuple[int, int]] = []
        found = self._anchors.search(data)
        while found is not None:
            start = found.start()
            end = self._end_of_longest(data, start)
            if end and runs and start <= runs[-1][1]:
                runs[-1] = (runs[-1][0], max(end, runs[-1][1]))
            elif end:
                runs.append((start, end))
            found = self._anchors.search(data, start + 1)
        return runs

    def begins_at(self, data: bytes) -> int:
        """Return the first place from which the data to its end is the beginning of an occurrence, or its length."""
        size = len(data)
        found = self._anchors.search(data, max(size - self._longest + 1, 0))
        while found is not None:
            if self._is_beginning(data[found.start() :]):
                return found.start()
            found = self._anchors.search(data, found.start() + 1)
        for start in range(max(size - _ANCHOR_BYTES + 1, 0), size):
            if self._is_beginning(data[start:]):
                return start
        return size

    def _end_of_longest(self, data: bytes, start: int) -> int:
        """Return the end of the longest pattern that begins here; 0 if none does."""
        for length in self._lengths.get(data[start : start + _ANCHOR_BYTES], ()):
            # Near the end of the data this is shorter than asked for, and may be another pattern.
            found = data[start : start + length]
            if found in self._patterns:
                return start + len(found)
        return 0

    def _is_beginning(self, end: bytes) -> bool:
        # Patterns that go on from `end` are sorted right behind it.
        place = bisect_right(self._ordered, end)
        return place < len(self._ordered) and self._ordered[place].startswith(end)


class MaskedStream:
    """Masks output that comes piece by piece.

    Not for several threads at once. A call that is interrupted by an exception may lose its piece, but shows nothing.
    """

    __slots__ = ("_mask", "_state")

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._state = _NOTHING

    @property
    def may_release(self) -> bool:
        """Whether `release` would give something."""
        held, _covered, shown, _inside = self._state
        return shown < len(held) < LEAST_CHARACTERS

    def feed(self, data: bytes) -> bytes:
        """Take a piece; return what can be shown by now."""
        held, covered, shown, inside = self._state
        buffer = held + data
        runs = _with_beginning(self._mask.occurrences(buffer), covered)
        hold = self._mask.begins_at(buffer)
        output, inside = _render(buffer, runs, start=shown, end=hold, inside=inside)
        covered = max((end - hold for start, end in runs if start <= hold < end), default=0)
        self._state = (buffer[hold:], covered, max(shown - hold, 0), inside)
        return output

    def release(self) -> bytes:
        """Return what is held if it tells nothing: fewer characters than make a secret.

        For a pause in the output. The stream remembers what it has shown: if it was the beginning of an occurrence
        after all, the rest of it is masked. Longer ends stay until it is known what they are.
        """
        return self._show_held() if self.may_release else b""

    def finish(self) -> bytes:
        """Return what is held: nothing comes after it."""
        output = self._show_held()
        self._state = _NOTHING
        return output

    def _show_held(self) -> bytes:
        held, covered, shown, inside = self._state
        runs = _with_beginning(self._mask.occurrences(held), covered)
        output, inside = _render(held, runs, start=shown, end=len(held), inside=inside)
        self._state = (held, covered, len(held), inside)
        return output


_State = tuple[bytes, int, int, bool]
"""What is held; how much of its beginning is known to be masked, and how much was shown; whether `[secret]` is what was
shown last. One value, so that it changes as a whole: an exception from a signal handler may come anywhere.
"""

_NOTHING: Final[_State] = (b"", 0, 0, False)


def _blocks(form: bytes) -> Iterable[bytes]:
    """Cut a long form into blocks that are recognised by themselves: less is held back, and no part of it is shown."""
    size = max(_LEAST_BLOCK_BYTES, len(form) // _MOST_BLOCKS)
    if len(form) <= size:
        return (form,)
    # The last one overlaps the one before it, so that it is no shorter.
    return {form[-size:], *(form[start : start + size] for start in range(0, len(form) - size + 1, size))}


def _any_of(anchors: Iterable[bytes]) -> bytes:
    """Return a pattern for the anchors, and little more: those that begin alike are one branch of two classes.

    A branch for each would be searched, and compiled, several times more slowly.
    """
    rest: defaultdict[bytes, tuple[set[bytes], set[bytes]]] = defaultdict(lambda: (set(), set()))
    for anchor in anchors:
        second, third = rest[anchor[:1]]
        second.add(anchor[1:2])
        third.add(anchor[2:3])
    return b"|".join(
        re.escape(first) + b"".join(b"[" + b"".join(map(re.escape, sorted(some))) + b"]" for some in classes)
        for first, classes in rest.items()
    )


def _with_beginning(runs: list[tuple[int, int]], covered: int) -> list[tuple[int, int]]:
    """Add that the first bytes are masked, because of an occurrence that began before them."""
    if not covered:
        return runs
    while runs and runs[0][0] <= covered:
        covered = max(covered, runs.pop(0)[1])
    return [(0, covered), *runs]


def _render(data: bytes, runs: Sequence[tuple[int, int]], *, start: int, end: int, inside: bool) -> tuple[bytes, bool]:
    """Return a part of the data as it is shown, and whether `[secret]` is the last of it.

    `inside`: whether `[secret]` is what was shown right before it.
    """
    output, position = bytearray(), start
    for run_start, run_end in runs:
        if run_end <= position or position >= end:
            continue
        if run_start >= end:
            break
        if run_start > position:
            output += data[position:run_start]
            inside = False
        if not inside:
            output += MASK
            inside = True
        position = min(run_end, end)
    if position < end:
        output += data[position:end]
        inside = False
    return bytes(output), inside
