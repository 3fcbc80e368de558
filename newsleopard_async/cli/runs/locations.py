"""Opens the store of sends that a command line names: by a URL, or by the user's application."""

from __future__ import annotations

import contextlib
import pkgutil
import sys
import threading
from collections.abc import AsyncIterator
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs
import click

from newsleopard_async import ConfigurationError, InvalidRequest, NewsLeopard, workflows
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.disclosure import shown
from newsleopard_async.stores import FileStore, RedisStore, SqlStore, Store
from newsleopard_async.stores.database import Database

if TYPE_CHECKING:
    # Loaded where it is used: most commands have no durable send.
    from newsleopard_async.durable import Durable, SendStatus

__all__ = [
    "URL_VARIABLE",
    "SendsLocation",
    "client_of_main",
    "durable_of",
    "has_password",
    "is_store_url",
    "needs_a_person",
    "open_location",
    "store_of",
]

URL_VARIABLE: Final = "NEWSLEOPARD_DURABLE_URL"

_SILENT_S: Final = 3.0
"""The seconds before a message about waiting. Chosen: a reachable database answers earlier, and a
user does not yet assume a failure."""

_REDIS: Final = ("redis", "rediss", "unix", "valkey")
_DATABASES: Final = ("sqlite", "sqlite+pysqlite", "postgresql", "postgres", "postgresql+psycopg")


@attrs.frozen
class SendsLocation:
    """The place in which sends are stored.

    Attributes:
        where: Its name in messages, without a password.
        durable: Its durable sends; None if it has none.
        store: Its runs; None if nothing is stored there yet.
    """

    where: str
    durable: Durable | None
    store: Store | None

    async def find(self, send_key: str) -> SendStatus | workflows.RunState | None:
        """Return the state of the send with a key; None if there is none.

        A database with durable sends can have runs without a worker, too.

        Raises:
            ConnectionFailed: the server is unreachable.
        """
        if self.durable is not None:
            with contextlib.suppress(InvalidRequest):
                return await self.durable.status(send_key)
        if self.store is not None:
            for run in await workflows.runs(self.store, keys=[send_key]):
                return run
        return None


def needs_a_person(known: SendStatus | workflows.RunState) -> bool:
    """Return whether a send does not continue before a person has acted."""
    if not isinstance(known, workflows.RunState):
        return known.needs_a_person
    is_held_for_good = known.state == "held" and known.look_again_at is None
    return known.state in ("failed", "unreadable") or is_held_for_good


def has_password(url: str) -> bool:
    """Return whether a URL contains a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.password) or "password=" in parts.query


@contextlib.asynccontextmanager
async def open_location(url: str | None) -> AsyncIterator[SendsLocation]:
    """Open a place of sends, to read them and decide about them; no file or table is created.

    Args:
        url: The URL of a database or of Redis; None for the files of this user.

    Raises:
        ConfigurationError: the URL cannot be used, the file is missing, or an extra is missing.
        ConnectionFailed: the server is unreachable.
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
        message = _(
            "--url must be sqlite:////folder/sends.db, postgresql://user@host/database or "
            "redis://host, and so must {name}"
        )
        raise ConfigurationError(message.format(name=URL_VARIABLE))


@contextlib.asynccontextmanager
async def _database(url: str) -> AsyncIterator[SendsLocation]:
    _refuse_missing_file(url)
    database = Database(url, user="--url", extra="sql", create=_create_nothing)
    async with contextlib.aclosing(database), _report_of_waiting(database.where):
        has_sends = await database.has_table("newsleopard_sends")
        has_runs = await database.has_table("newsleopard_runs")
    if has_sends:
        from newsleopard_async.durable import Durable

        async with Durable(url) as durable:
            yield SendsLocation(database.where, durable, durable.store)
    elif has_runs:
        async with contextlib.aclosing(SqlStore(url)) as store:
            yield SendsLocation(database.where, None, store)
    else:
        yield SendsLocation(database.where, None, None)


@contextlib.asynccontextmanager
async def _report_of_waiting(where: str) -> AsyncIterator[None]:
    """Print a message if a server does not answer soon, because the timeout is much later."""
    text = _("Waiting for {where}, at most 40 s; Ctrl-C ends the command.").format(where=where)
    timer = threading.Timer(_SILENT_S, click.echo, (shown(text),), {"err": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _refuse_missing_file(url: str) -> None:
    """Refuse a file that does not exist, because opening it would create it."""
    scheme, _slashes, file = url.partition(":///")
    path = Path(file.partition("?")[0])
    if scheme.startswith("sqlite") and file and not path.exists():
        message = _(
            "the database {path} does not exist; check the path, or start a send, which creates it"
        )
        raise ConfigurationError(message.format(path=path))


def _create_nothing(_: object) -> None:
    pass


def is_store_url(url: str) -> bool:
    """Return whether `store_of` accepts the scheme of a URL; this opens and creates nothing."""
    return url.partition(":")[0] in (*_REDIS, *_DATABASES)


def store_of(url: str) -> RedisStore | SqlStore:
    """Return the store at a URL.

    Raises:
        ConfigurationError: the URL is of another kind, or an extra is missing.
    """
    scheme = url.partition(":")[0]
    if scheme in _REDIS:
        return RedisStore(url)
    if scheme in _DATABASES:
        return SqlStore(url)
    raise ConfigurationError(
        _(
            "the store of a profile must be sqlite:////folder/runs.db, "
            "postgresql://user@host/database or redis://host"
        )
    )


def client_of_main(account: str) -> NewsLeopard:
    """Return the client of the account ``main``, with the key of the environment.

    Raises:
        ConfigurationError: it is another account, or the key is missing.
    """
    if account != "main":
        message = _(
            "this worker has only the key of the account 'main', not of {account!r}; start it with "
            "an APP that is a Durable with clients="
        )
        raise ConfigurationError(message.format(account=account))
    return NewsLeopard()


def durable_of(app: str) -> Durable:
    """Import an application: ``module:name`` of a `Durable`, or of a function that returns one.

    Raises:
        ConfigurationError: the module or the name does not exist, or is not a `Durable`.
        Exception: any error of the module.
    """
    from newsleopard_async.durable import Durable

    module_name, _colon, name = app.partition(":")
    if not module_name or not name:
        message = _("APP is {app!r}; write it as the module:name of a Durable, such as app:durable")
        raise ConfigurationError(message.format(app=app))
    found: Any = _imported(module_name)
    try:
        found = reduce(getattr, name.split("."), found)
    except AttributeError:
        message = _("{module} has no {name}; name a Durable of that module, as {module}:durable")
        raise ConfigurationError(message.format(module=module_name, name=name)) from None
    durable = found() if callable(found) else found
    if not isinstance(durable, Durable):
        message = _(
            "{app} has the type {type}; name a Durable, or a function without arguments that "
            "returns one"
        )
        raise ConfigurationError(message.format(app=app, type=type(durable).__name__))
    return durable


def _imported(name: str) -> Any:
    folder = str(Path.cwd())
    if folder not in sys.path:
        # Like `python -m`.
        sys.path.insert(0, folder)
    try:
        return pkgutil.resolve_name(f"{name}:")
    except ValueError:
        pass  # The text is not a module name.
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
    message = _(
        "no module {name} is in {folder} or installed; write its name as in an import statement: "
        "shop.app for shop/app.py"
    )
    raise ConfigurationError(message.format(name=name, folder=folder))
