"""Packages whose names are loaded when they are first used (PEP 562).

A client that lists its contact lists needs neither the pipelines nor the rules of HTML.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType

__all__ = ["names_from"]


def names_from(
    package: str, modules: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Build the ``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: Its full name.
        modules: Which names come from which module, named from `newsleopard_async` on. A module
            without names is one of the package's names itself.
    """
    where = {name: module for module, names in modules.items() for name in names}

    def load(name: str) -> object:
        if name in where:
            value: object = getattr(_module(f"newsleopard_async.{where[name]}"), name)
        else:
            # A module of the package, which an import would have put there.
            value = _module(f"{package}.{name}")
        if value is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        listed = {*where, *(module for module, inner in modules.items() if not inner)}
        return sorted({*vars(sys.modules[package]), *listed})

    return load, names


def _module(name: str) -> ModuleType | None:
    """Load a module; None if there is none of this name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None
