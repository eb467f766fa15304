"""The log of a process that runs for long."""

from __future__ import annotations

from pathlib import Path

from flyteplane.launcher.log_file import open_log


def test_a_log_is_set_aside_once_it_is_large_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "platform.log"
    lines = [f"{number:02} größer\n" for number in range(20)]
    for some in (lines[:9], lines[9:]):
        with open_log(path, most_bytes=50) as log:
            for line in some:
                log.write(line)
    kept = (tmp_path / "platform.log.1").read_text(encoding="utf-8") + path.read_text(encoding="utf-8")
    assert kept == "".join(lines)[-len(kept) :]
    assert lines[-1] in kept
    assert len(kept.splitlines()) > 4
    assert all(file.stat().st_size < 50 + 20 for file in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 2
