"""Templates and the files beside them.

Everything that is put out is escaped, always, and shown without characters that act (see `visible`). Files of `static/`
are read once, named by their content, and so kept by browsers for good.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flyteplane.console.views.times import duration_text, iso_text, moment_text
from flyteplane.console.visible import visible

_HERE: Final = Path(__file__).parent
_STATIC: Final = _HERE / "static"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """A file as it is sent."""

    content: bytes
    media_type: str


class Rendering:
    """The templates and static files of the console, loaded once."""

    def __init__(self) -> None:
        self.files: Mapping[str, StaticFile] = {path.name: _static_file(path) for path in sorted(_STATIC.iterdir())}
        contents = b"".join(hashlib.sha256(file.content).digest() for file in self.files.values())
        self.version = hashlib.sha256(contents).hexdigest()[:12]
        """Of all files together. It is a folder in their addresses, so that modules find each other beside them."""
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=visible,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals["asset"] = self.address_of
        self._templates.filters.update(moment=moment_text, iso=iso_text, duration=duration_text)

    def address_of(self, name: str) -> str:
        """Where a file of `static/` is served."""
        if name not in self.files:
            raise KeyError(f"there is no static file {name}")
        return f"/static/{self.version}/{name}"

    def render(self, template: str, /, **values: Any) -> str:
        """A template with values. A name that it lacks is an error, never an empty text."""
        return self._templates.get_template(template).render(values)


def _static_file(path: Path) -> StaticFile:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return StaticFile(content=content, media_type=media_type)
