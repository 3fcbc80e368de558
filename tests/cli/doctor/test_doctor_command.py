"""``newsleopard doctor`` finds the part of the set-up that is wrong, and says what to do."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.doctor import network_checks, setup_checks
from newsleopard_async.cli.doctor.diagnosis import (
    DoctorCheck,
    Examination,
    in_daemon,
    passed,
    run_checks,
)
from newsleopard_async.cli.session import Session
from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.server import running
from newsleopard_async.stores import FileStore
from newsleopard_async.transport.settings import DEFAULT_BASE_URL

KEY = "nl-test-key-0123456789"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "APPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "config"))
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "state"))
    monkeypatch.delenv("NEWSLEOPARD_PROFILE", raising=False)
    monkeypatch.setenv("NEWSLEOPARD_API_KEY", KEY)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Emulator, str]]:
    """Serve one emulator for all tests of this module."""
    emulator = Emulator(api_keys=[KEY])
    with running(emulator) as url:
        yield emulator, url


@pytest.fixture
def emulator(served: tuple[Emulator, str], monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return the served emulator, in its initial state."""
    emulator, url = served
    emulator.reset()
    monkeypatch.setenv("NEWSLEOPARD_BASE_URL", url)
    return emulator


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolve addresses only, as on a machine without DNS."""
    resolve = socket.getaddrinfo

    def resolve_address(host: str, *arguments: Any, **options: Any) -> Any:
        if str(host).rstrip("'").endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_address)


def doctor(*options: str) -> tuple[dict[str, dict[str, str]], Result]:
    """Run the command for programs; return the results by their names."""
    result = CliRunner().invoke(newsleopard, ["doctor", "--json", *options])
    assert isinstance(result.exception, SystemExit | None), result.exception
    data = json.loads(result.stdout)
    assert data["exit_status"] == result.exit_code, result.output
    return {each["name"]: each for each in data["checks"]}, result


def states(checks: dict[str, dict[str, str]], *names: str) -> list[str]:
    """Return the states of some checks."""
    return [checks[name]["state"] for name in names]


def test_good_setup_passes_with_two_requests(emulator: Emulator) -> None:
    """Every check that can be made passes; the account is only read, twice."""
    checks, result = doctor()

    assert result.exit_code == 0
    assert {each["state"] for each in checks.values()} == {"ok", "skipped"}
    assert [each.operation for each in emulator.requests] == ["list_lists"] * 2
    assert json.loads(result.stdout)["requests"] == 2
    assert KEY not in result.output


@pytest.mark.usefixtures("no_names")
def test_count_of_the_day_is_shown_where_it_is_shared(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the loopback and in a single process, each command counts from zero."""
    monkeypatch.delenv("NEWSLEOPARD_QUOTA", raising=False)
    here, _ = doctor()
    monkeypatch.setenv("NEWSLEOPARD_BASE_URL", "https://api.invalid")
    there, _ = doctor()

    assert "used today" not in here["limits"]["found"]
    assert there["limits"]["found"].endswith("0 of 10,000 requests used today")
    assert emulator.requests


def test_table_shows_marks_and_the_end(emulator: Emulator) -> None:
    """A person sees each result, and how many requests were sent."""
    result = CliRunner().invoke(newsleopard, ["doctor"])

    assert "✓ Python" in result.stdout
    assert "2 requests were sent to the API; they only read." in result.stdout
    assert KEY not in result.output


@pytest.mark.parametrize("columns", ["40", "120"])
def test_table_fits_the_terminal(
    emulator: Emulator, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is longer than the terminal."""
    monkeypatch.setenv("COLUMNS", columns)

    result = CliRunner().invoke(newsleopard, ["doctor"])

    assert max(map(len, result.stdout.splitlines())) <= int(columns)


def test_wrong_key_is_told_apart_from_a_broken_network(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform answers, so only the key is at fault."""
    monkeypatch.setenv("NEWSLEOPARD_API_KEY", "wrong")

    checks, result = doctor()

    assert result.exit_code == 1
    assert states(checks, "answer", "account") == ["ok", "failed"]
    assert "console" in checks["account"]["advice"]


def test_missing_key_does_not_stop_the_other_checks(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs no key is tried; what needs it says why it is not."""
    monkeypatch.delenv("NEWSLEOPARD_API_KEY")

    checks, result = doctor()

    assert result.exit_code == 2
    assert states(checks, "key", "limits", "answer", "account") == [
        *("failed", "skipped", "ok", "skipped")
    ]
    assert checks["account"]["found"] == "not tried, because of: Key"


@pytest.mark.parametrize(("key", "is_shown"), [("nl-short-key-ZQ", False), (KEY, True)])
def test_end_of_a_key_is_shown_only_if_the_rest_is_long(
    monkeypatch: pytest.MonkeyPatch, key: str, is_shown: bool
) -> None:
    """Two characters tell keys apart, and must not help to guess one."""
    monkeypatch.setenv("NEWSLEOPARD_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("NEWSLEOPARD_API_KEY", key)

    checks, _ = doctor()

    assert (f"are {key[-2:]}" in checks["key"]["found"]) == is_shown
    assert is_shown or key[-2:] not in checks["key"]["found"]


def test_status_is_that_of_the_first_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one is to be put right first; later ones can follow from it."""
    monkeypatch.setenv("NEWSLEOPARD_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("NEWSLEOPARD_API_KEY")

    checks, result = doctor()

    assert states(checks, "key", "tcp") == ["failed", "failed"]
    assert result.exit_code == 2


def test_used_up_quota_ends_soon_with_its_own_status(emulator: Emulator) -> None:
    """The refusal is shown after one request, not after the waits of the client."""
    emulator.exhaust_day(resets_in_s=3_600)

    checks, result = doctor()

    assert result.exit_code == 4
    assert "too many requests" in checks["account"]["found"]
    assert emulator.count("list_lists") == 2


def test_errors_are_in_the_language_of_the_user(
    emulator: Emulator, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal of the platform, and what is wrong with a certificate."""
    monkeypatch.setenv("LC_ALL", "zh_TW.UTF-8")
    monkeypatch.delenv("LANGUAGE", raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    emulator.exhaust_day(resets_in_s=3_600)
    refused = CliRunner().invoke(newsleopard, ["doctor"]).stdout
    with answering(certificate) as url:
        monkeypatch.setenv("NEWSLEOPARD_BASE_URL", url)
        untrusted = CliRunner().invoke(newsleopard, ["doctor"]).stdout

    assert "平台持續拒絕 list_lists：請求太多" in refused
    assert "SSL_CERT_FILE" in untrusted
    assert "the certificate of" not in untrusted


def test_closed_port_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent if the connection fails, and all that follows is skipped."""
    monkeypatch.setenv("NEWSLEOPARD_BASE_URL", "http://127.0.0.1:1")

    checks, result = doctor()

    assert result.exit_code == 5
    assert os.strerror(errno.ECONNREFUSED) in checks["tcp"]["found"]
    assert states(checks, "dns", "tcp", "tls", "answer", "clock") == [
        *("ok", "failed", "skipped", "skipped", "skipped")
    ]
    assert json.loads(result.stdout)["requests"] == 0


def test_unknown_host_has_no_address(no_names: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that cannot be resolved is found before any connection."""
    monkeypatch.setenv("NEWSLEOPARD_BASE_URL", "https://api.newsleopard.invalid")

    checks, result = doctor()

    assert result.exit_code == 5
    assert "no address" in checks["dns"]["found"]


def test_proxy_is_shown_without_its_password(
    no_names: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first hop is the proxy, whose variable is named."""
    monkeypatch.setenv("NEWSLEOPARD_BASE_URL", "https://api.newsleopard.invalid")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:s3cret@127.0.0.1:1")

    checks, result = doctor()

    assert "HTTPS_PROXY" in checks["proxy"]["found"]
    assert "127.0.0.1:1 cannot be reached" in checks["tcp"]["found"]
    assert "s3cret" not in result.output

    monkeypatch.setenv("NO_PROXY", ".invalid")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:port")
    assert "NO_PROXY" in doctor()[0]["proxy"]["found"]
    monkeypatch.delenv("NO_PROXY")
    assert states(doctor()[0], "proxy", "dns") == ["failed", "skipped"]


class Answering(BaseHTTPRequestHandler):
    """Answers all requests in one way."""

    status = 403
    body = b'{"message":"Forbidden"}'
    ahead = timedelta()

    def do_GET(self) -> None:
        """Answer."""
        self.send_response_only(self.status)
        self.send_header("Date", format_datetime(datetime.now(UTC) + self.ahead, usegmt=True))
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def answering(certificate: Path | None = None, **how: Any) -> Iterator[str]:
    """Serve one answer on the loopback, with TLS if there is a certificate; yield its URL."""
    handler = type("Handler", (Answering,), how)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    scheme = "http" if certificate is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("seconds", "state", "text"),
    [(0, "ok", ""), (-30, "warning", r"3\d s ahead"), (900, "failed", r"(89|90)\d s behind")],
)
def test_clock_is_compared_with_the_platform(
    seconds: int, state: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is minutes away sends schedules at the wrong time."""
    with answering(ahead=timedelta(seconds=seconds)) as url:
        monkeypatch.setenv("NEWSLEOPARD_BASE_URL", url)
        checks, _ = doctor()

    assert checks["clock"]["state"] == state
    # A busy machine adds seconds to what it reads.
    assert re.search(text, checks["clock"]["found"])


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>Log in to the guest network</html>"), (302, b""), (404, b"{}"), (502, b"oops")],
)
def test_answer_of_another_server_is_recognised(
    status: int, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login page of the network, or an error of a proxy, is not the platform."""
    with answering(status=status, body=body) as url:
        monkeypatch.setenv("NEWSLEOPARD_BASE_URL", url)
        checks, result = doctor()

    assert result.exit_code == 5
    assert states(checks, "answer", "account") == ["failed", "skipped"]
    assert checks["answer"]["advice"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate of a week, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    what = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    names = ("-subj", "/O=Company/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-days", "7", "-keyout", file, "-out", file.with_suffix(".crt"))
    subprocess.run([openssl, *what, *names, *files], check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + file.with_suffix(".crt").read_bytes())
    return file


def test_company_certificate_needs_its_authority(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An untrusted certificate names SSL_CERT_FILE; with it, the certificate is described."""
    with answering(certificate) as url:
        monkeypatch.setenv("NEWSLEOPARD_BASE_URL", url)
        untrusted, result = doctor()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        trusted, _ = doctor()
        monkeypatch.setenv("SSL_CERT_FILE", "/missing.pem")
        missing, _ = doctor()

    assert result.exit_code == 2
    assert "self-signed" in untrusted["tls"]["found"]
    assert "SSL_CERT_FILE" in untrusted["tls"]["advice"]
    assert states(untrusted, "answer") == ["skipped"]
    assert trusted["tls"]["state"] == "warning"  # it expires within a week
    assert "Company" in trusted["tls"]["found"]
    assert trusted["answer"]["state"] == "ok"
    assert missing["tls"]["state"] == "failed"


def test_documented_storage_is_tried_for_the_real_platform_only(
    no_names: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload would show the real host, so another platform's storage is not guessed."""
    examination = Examination(session=Session(), base_url="https://emulator")

    assert anyio.run(network_checks.check_storage, examination).state == "skipped"
    examination.base_url = DEFAULT_BASE_URL
    monkeypatch.setattr(network_checks, "_STORAGE_HOST", "storage.invalid")
    assert anyio.run(network_checks.check_storage, examination).state == "warning"


def test_runs_that_need_a_person_are_counted(emulator: Emulator) -> None:
    """A run that waits for a decision is a warning, with the command that shows it."""
    anyio.run(FileStore().save, "spring", {"not": "a run"}, None)

    checks, result = doctor()

    assert result.exit_code == 0
    assert checks["store"]["state"] == "warning"
    assert "1 need" in checks["store"]["found"]
    assert "newsleopard runs" in checks["store"]["advice"]
    assert len(list(FileStore().folder.iterdir())) == 1


def test_folder_that_cannot_be_used_is_found(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If nothing can be stored there, runs fail, and the limits are not shared."""
    monkeypatch.delenv("NEWSLEOPARD_QUOTA", raising=False)
    (tmp_path / "state").write_text("", "utf-8")

    checks, result = doctor()

    assert result.exit_code == 2
    assert states(checks, "store", "limits") == ["failed", "warning"]


def test_profile_and_its_stores_are_named_without_passwords(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that does not exist is a failure; the others are tried all the same."""
    monkeypatch.setenv("SHOP_KEY", KEY)
    run = ["profile", "set", "shop", "--api-key-variable=SHOP_KEY"]
    CliRunner().invoke(newsleopard, [*run, "--store=sqlite:////missing/runs.db"])

    checks, result = doctor("--profile", "shop")

    assert result.exit_code == 2
    assert "$SHOP_KEY" in checks["key"]["found"]
    assert states(checks, "store", "account") == ["failed", "ok"]
    assert doctor("--profile", "crm")[0]["profile"]["state"] == "failed"


@pytest.mark.asyncio
async def test_check_that_hangs_ends_and_does_not_stop_the_next() -> None:
    """Each check has a finite time, even if it waits in a thread."""
    forever = threading.Event()

    async def hang(_: Examination) -> Any:
        return await in_daemon(forever.wait)

    async def break_(_: Examination) -> Any:
        raise anyio.BrokenResourceError

    async def pass_(_: Examination) -> Any:
        return passed("fine")

    checks = [
        DoctorCheck(name="one", title="One", run=hang, within_s=0.05),
        DoctorCheck(name="two", title="Two", run=pass_, needs=("one",)),
        DoctorCheck(name="three", title="Three", run=break_),
        DoctorCheck(name="four", title="Four", run=pass_),
    ]
    found = run_checks(checks, Examination(session=Session()), before=lambda _: None)

    assert [each.state async for _, each in found] == ["failed", "skipped", "failed", "ok"]
    forever.set()


def test_extras_of_the_doctor_are_those_of_the_package() -> None:
    """A new extra must appear in the first line of a report."""
    declared = metadata("newsleopard-async").get_all("Provides-Extra") or []

    assert {*setup_checks._EXTRAS, "all"} == {*declared}
