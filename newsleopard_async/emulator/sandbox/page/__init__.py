"""The page at ``/``: server-rendered, in English and 中文, live by server-sent events."""

try:
    import jinja2 as _jinja2
except ModuleNotFoundError as _missing:
    if (_missing.name or "").partition(".")[0] not in {"jinja2", "markupsafe"}:
        raise
    raise ModuleNotFoundError(
        "the emulator's page needs jinja2, which an extra brings: "
        'pip install "newsleopard-async[emulator]"; '
        "a server without page and control API needs none",
        name=_missing.name,
    ) from None

del _jinja2
