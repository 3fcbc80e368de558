"""What people and other processes open: the page at ``/``, and the control API beneath it."""

from __future__ import annotations

__all__ = ["package_version"]


def package_version() -> str:
    """Return the version of the package."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("newsleopard-async")
    except PackageNotFoundError:  # from a folder that is not installed
        return "unknown"
