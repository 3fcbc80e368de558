"""Packages that import their names at the first use (PEP 562).

A client that reads its contact lists then imports neither the pipelines nor the rules of HTML.
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
        package: The full name of the package.
        modules: The names of each module; a module is named relative to `newsleopard_async`. A
            module without names is itself a name of the package.
    """
    where = {name: module for module, names in modules.items() for name in names}

    def load(name: str) -> object:
        if name in where:
            value: object = getattr(_module(f"newsleopard_async.{where[name]}"), name)
        else:
            # A module of the package; an import statement would have set this attribute.
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
    """Import a module; return None if it does not exist."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None
