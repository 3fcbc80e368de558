"""The version, written once: for the build, the face and the header ``User-Agent``."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
"""The version of this package."""
