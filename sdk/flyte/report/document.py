"""A report as a value that collects HTML in tabs and can be written as one page.

Tabs are switched by radio buttons and CSS alone, so a report needs no script and no network.
"""

from __future__ import annotations

import html
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Final

MAIN_TAB: Final = "main"

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body{{font-family:system-ui,sans-serif;margin:1rem}}
.tabs>input{{display:none}}
.tabs>label{{display:inline-block;padding:.4rem .9rem;border-bottom:2px solid transparent;cursor:pointer}}
.tabs>input:checked+label{{border-color:#4a56e2}}
.tabs>section{{display:none;border-top:1px solid #ccc;padding-top:1rem}}
{rules}</style></head><body><div class="tabs">
{labels}
{sections}
</div></body></html>
"""


@dataclass(slots=True)
class Tab:
    """One tab: pieces of HTML, one after another."""

    name: str
    content: list[str] = field(default_factory=list)

    def log(self, content: str) -> None:
        """Add HTML at the end."""
        self.content.append(content)

    def replace(self, content: str) -> None:
        """Put HTML in place of everything that is there."""
        self.content[:] = [content]

    def get_html(self) -> str:
        """Return what is in the tab."""
        return "\n".join(self.content)


class Report:
    """The report of one attempt. Without a path it is never written.

    `template_path` is a page of the user's own: $TITLE, $NAV_HTML (a list of links) and $BODY_HTML in it are replaced.
    """

    def __init__(
        self,
        name: str = "Report",
        tabs: dict[str, Tab] | None = None,
        template_path: str | os.PathLike[str] | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
    ) -> None:
        self.name = name
        self.path = None if path is None else Path(path)
        self.tabs: dict[str, Tab] = {MAIN_TAB: Tab(MAIN_TAB)} if tabs is None else tabs
        self.template_path = None if template_path is None else Path(template_path)
        self._lock = threading.Lock()

    def get_tab(self, name: str, create_if_missing: bool = True) -> Tab:
        """Return a tab. Raises ValueError if it is missing and may not be made."""
        with self._lock:
            if name not in self.tabs:
                if not create_if_missing:
                    raise ValueError(f"Tab {name} does not exist.")
                self.tabs[name] = Tab(name)
            return self.tabs[name]

    def is_empty(self) -> bool:
        """Tell whether nothing was logged."""
        return not any(tab.content for tab in self.tabs.values())

    def has_content(self) -> bool:
        """Tell whether anything was logged."""
        return not self.is_empty()

    def get_final_report(self) -> str:
        """Return the page."""
        tabs = [tab for tab in self.tabs.values() if tab.content or tab.name == MAIN_TAB]
        if self.template_path is not None:
            return _filled(self.template_path.read_text(), title=self.name, tabs=tabs)
        return _PAGE.format(
            title=html.escape(self.name),
            rules="\n".join(f"#t{n}:checked~#s{n}{{display:block}}" for n in range(len(tabs))),
            labels="\n".join(_label(n, tab) for n, tab in enumerate(tabs)),
            sections="\n".join(f'<section id="s{n}">{tab.get_html()}</section>' for n, tab in enumerate(tabs)),
        )

    def flush(self) -> None:
        """Write the page; readers see the old one or the new one, never half of it."""
        if self.path is None or self.is_empty():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.new")
        with self._lock:
            temporary.write_text(self.get_final_report())
            temporary.replace(self.path)


def _filled(template: str, *, title: str, tabs: Sequence[Tab]) -> str:
    links = "\n".join(f'<li><a href="#s{n}">{html.escape(tab.name)}</a></li>' for n, tab in enumerate(tabs))
    body = "\n".join(f'<section id="s{n}">{tab.get_html()}</section>' for n, tab in enumerate(tabs))
    return Template(template).safe_substitute(TITLE=html.escape(title), NAV_HTML=links, BODY_HTML=body)


def _label(number: int, tab: Tab) -> str:
    checked = " checked" if number == 0 else ""
    return (
        f'<input type="radio" name="tab" id="t{number}"{checked}><label for="t{number}">{html.escape(tab.name)}</label>'
    )
