"""Where sends are kept, as a command line names it: a URL, or an application of the user's."""

from __future__ import annotations

import contextlib
import pkgutil
import sys
import threading
from collections.abc import AsyncIterator
from functools import reduce
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import click

from newsleopard_async import ConfigurationError, NewsLeopard
from newsleopard_async.disclosure import shown
from newsleopard_async.durable import Durable
from newsleopard_async.stores import FileStore, RedisStore, SqlStore, Store
from newsleopard_async.stores.database import Database

__all__ = [
    "URL_VARIABLE",
    "SendsLocation",
    "client_of_main",
    "durable_of",
    "has_password",
    "open_location",
]

URL_VARIABLE: Final = "NEWSLEOPARD_DURABLE_URL"

_SILENT_S: Final = 3.0
"""Chosen: longer than a database takes that answers, and shorter than anybody's patience."""

_REDIS: Final = ("redis", "rediss", "unix", "valkey")
_DATABASES: Final = ("sqlite", "sqlite+pysqlite", "postgresql", "postgres", "postgresql+psycopg")


@attrs.frozen
class SendsLocation:
    """Where sends are kept.

    Attributes:
        where: What it is called in messages; no password is in it.
        durable: The durable sends there; None if there are none.
        store: The runs there; None if nothing is kept there yet.
    """

    where: str
    durable: Durable | None
    store: Store | None


def has_password(url: str) -> bool:
    """Say whether a URL has a password in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.password) or "password=" in parts.query


@contextlib.asynccontextmanager
async def open_location(url: str | None) -> AsyncIterator[SendsLocation]:
    """Open where sends are kept, to look at them and decide about them; nothing is made there.

    Args:
        url: Of a database or of Redis; None for the files of this user.

    Raises:
        ConfigurationError: the URL cannot be used, nothing is there, or an extra is missing.
        ConnectionFailed: the server is away.
    """
    if url is None:
        files = FileStore()
        yield SendsLocation(str(files.folder), None, files)
        return
    scheme = url.partition(":")[0]
    if scheme in _REDIS:
        async with contextlib.aclosing(RedisStore(url)) as store:
            yield SendsLocation(f"{store!r}", None, store)
    elif scheme in _DATABASES:
        async with _database(url) as location:
            yield location
    else:
        raise ConfigurationError(
            f"--url must be sqlite:////folder/sends.db, postgresql://user@host/database or "
            f"redis://host, and so must {URL_VARIABLE}"
        )


@contextlib.asynccontextmanager
async def _database(url: str) -> AsyncIterator[SendsLocation]:
    _refuse_missing_file(url)
    looked = Database(url, user="--url", extra="sql", create=_nothing)
    async with contextlib.aclosing(looked), _saying_that_it_waits(looked.where):
        has_sends = await looked.has_table("newsleopard_sends")
        has_runs = await looked.has_table("newsleopard_runs")
    if has_sends:
        async with Durable(url) as durable:
            yield SendsLocation(looked.where, durable, durable.store)
    elif has_runs:
        async with contextlib.aclosing(SqlStore(url)) as store:
            yield SendsLocation(looked.where, None, store)
    else:
        yield SendsLocation(looked.where, None, None)


@contextlib.asynccontextmanager
async def _saying_that_it_waits(where: str) -> AsyncIterator[None]:
    """Say after a while that a server does not answer: it is given up later than people are."""
    text = f"Waiting for {where}; it is given up after 40 s."
    timer = threading.Timer(_SILENT_S, click.echo, (shown(text),), {"err": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _refuse_missing_file(url: str) -> None:
    """Refuse a file that is not there: to open it would make it."""
    scheme, _, file = url.partition(":///")
    path = Path(file.partition("?")[0])
    if scheme.startswith("sqlite") and file and not path.exists():
        raise ConfigurationError(f"there is no database {path}; the first send makes it")


def _nothing(_: object) -> None:
    pass


def client_of_main(account: str) -> NewsLeopard:
    """Make the client of the account ``main``, with the key of the environment.

    Raises:
        ConfigurationError: the account is another one, or there is no key.
    """
    if account != "main":
        raise ConfigurationError(
            f"this worker has the key of the account 'main' only, and not of {account!r}; start "
            "it with an APP, whose Durable has clients="
        )
    return NewsLeopard()


def durable_of(app: str) -> Durable:
    """Import an application: ``module:name`` of a `Durable`, or of a function that returns one.

    Raises:
        ConfigurationError: there is no such thing.
        Exception: any error of the module.
    """
    module_name, _, name = app.partition(":")
    if not module_name or not name:
        raise ConfigurationError(
            f"APP is {app!r}; write it as module:name, such as app:durable, of a Durable"
        )
    found: Any = _imported(module_name)
    try:
        found = reduce(getattr, name.split("."), found)
    except AttributeError:
        raise ConfigurationError(
            f"{module_name} has no {name}; name a Durable of that module, as {module_name}:durable"
        ) from None
    made = found() if callable(found) else found
    if not isinstance(made, Durable):
        raise ConfigurationError(
            f"{app} is of the type {type(made).__name__}; name a Durable, or a function without "
            "arguments that returns one"
        )
    return made


def _imported(name: str) -> Any:
    folder = str(Path.cwd())
    if folder not in sys.path:
        # As `python -m` has it.
        sys.path.insert(0, folder)
    try:
        return pkgutil.resolve_name(f"{name}:")
    except ValueError:
        pass  # It is no name of a module.
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
    raise ConfigurationError(
        f"there is no module {name}, neither in {folder} nor installed; write it as it is "
        "imported: shop.app for shop/app.py"
    )
