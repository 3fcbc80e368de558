"""The page at ``/``: server-rendered, in English and 中文, live by server-sent events."""

try:
    import jinja2 as _jinja2
except ModuleNotFoundError as _missing:
    if (_missing.name or "").partition(".")[0] not in {"jinja2", "markupsafe"}:
        raise
    raise ModuleNotFoundError(
        "the emulator's page needs jinja2, which is not installed; run "
        'pip install "newsleopard-async[emulator]", '
        "or start the server without the page and the control API",
        name=_missing.name,
    ) from None

del _jinja2
