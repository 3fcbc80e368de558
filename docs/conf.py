"""The settings of Sphinx: ``sphinx-build -W -n docs docs/_build/html``."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # our own extensions, which are beside this file

project = "newsleopard-async"
author = "The newsleopard-async authors"
project_copyright = "2026, " + author
release = metadata.version("newsleopard-async")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "agents",
    "languages",
    "search_words",
]
exclude_patterns = ["_build", "skills"]
templates_path = ["_templates"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["languages.css"]
html_title = "newsleopard-async"
html_show_sphinx = False
html_search_language = "en-zh"  # search_words
# Addresses on the reader's machine, and of examples.
linkcheck_ignore = [r"https?://(127\.0\.0\.1|localhost)\b", r"https?://[\w.-]*example\.com\b"]

# nox -s translate writes the catalogues: one for each page, and without the numbers of lines, which
# change with every edit. Sphinx compiles them.
locale_dirs = [str(Path(__file__).parent / "locale")]  # Sphinx finds sphinx.js only so
gettext_compact = False
gettext_location = False

myst_enable_extensions = ["deflist", "tasklist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Source", "returns_style")]

default_role = "py:obj"
# The environment of the documentation does not have it, because no extra needs it.
autodoc_mock_imports = ["aiohttp"]
nitpicky = True
# Only our own names are resolved. Other projects' names would need their inventories from a
# network.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!newsleopard_async\.).*"),
    (r"py:.*", r"newsleopard_async\..*\.[A-Z]"),  # type variables
    (r"py:.*", r"newsleopard_async\.emulator\..*"),  # inner parts of the emulator
    (r"py:.*", r"newsleopard_async\.telemetry\.Span"),
    (r"py:.*", r"newsleopard_async\.plain\.(OfAKind|Tabular)"),
    (r"py:.*", r"newsleopard_async\.models\.reports\.HidesContact"),
]

_INLINE_SECTION = re.compile(r"^(Returns|Source|Yields): (.+)$")


def _open_inline_sections(
    _app: Any, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]
) -> None:
    """Convert our one-line sections (``Returns: the code``) into sections that napoleon reads."""
    opened: list[str] = []
    is_in_section = False
    for line in lines:
        section = _INLINE_SECTION.match(line)
        if section:
            opened += ["", f"{section[1]}:", f"    {section[2]}"]
        elif is_in_section and line.startswith("    "):
            opened.append(line)
        else:
            opened.append(line)
        is_in_section = bool(section) or (is_in_section and bool(line.strip()))
    lines[:] = opened


def _hide_inner_parts(
    _app: Any, what: str, name: str, _obj: Any, _options: Any, signature: str, _returns: str
) -> tuple[str, None] | None:
    """Hide the signatures of endpoint classes, because only the client creates their objects."""
    is_inner = what == "class" and name.startswith("newsleopard_async.endpoints.")
    return ("", None) if is_inner and signature else None


def setup(app: Any) -> None:
    """Connect both functions; the first one runs before napoleon, which has priority 500."""
    app.connect("autodoc-process-docstring", _open_inline_sections, priority=400)
    app.connect("autodoc-process-signature", _hide_inner_parts)
