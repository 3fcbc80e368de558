"""The page of a served emulator at ``/``, and its control API below ``/_emulator/``."""

from __future__ import annotations

__all__ = ["package_version"]


def package_version() -> str:
    """Return the version of the package."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("newsleopard-async")
    except PackageNotFoundError:  # the code runs from a folder that is not installed
        return "unknown"
