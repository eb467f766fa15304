"""The log of a process as a file that never grows beyond its bound: once it is large it is set aside, in the place of
the one before."""

import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TextIO

MOST_BYTES: Final = 64 << 20


def open_log(path: Path, *, most_bytes: int = MOST_BYTES) -> TextIO:
    """A stream of lines onto a file, and onto `<name>.1` what was in it before: about twice `most_bytes` in all.

    Raises OSError if the file cannot be opened.
    """
    return io.TextIOWrapper(
        io.BufferedWriter(_LogFile(path, most_bytes)), encoding="utf-8", errors="replace", line_buffering=True
    )


class _LogFile(io.RawIOBase):
    def __init__(self, path: Path, most_bytes: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._file = self._open()
        self._size = os.fstat(self._file.fileno()).st_size
        self._at_end_of_line = True

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        data = bytes(content)
        if self._size >= self._most_bytes and self._at_end_of_line:
            self._set_aside()
        written = self._file.write(data)
        self._size += written
        self._at_end_of_line = data[:written].endswith(b"\n")
        return written

    def close(self) -> None:
        self._file.close()
        super().close()

    def _open(self) -> io.FileIO:
        return io.FileIO(self._path, "a")

    def _set_aside(self) -> None:
        # What cannot be set aside goes on growing: a log is worth more than its bound.
        with suppress(OSError):
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            following = self._open()
            self._file.close()
            self._file = following
        self._size = 0
