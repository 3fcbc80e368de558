"""Options of ``newsleopard emulator``, and the resulting emulator."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner, Result

from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.cli.emulating import emulator_server
from newsleopard_async.emulator import Emulator, EmulatorClock, Switches
from newsleopard_async.emulator.sandbox.access import ControlOptions
from newsleopard_async.emulator.state import StateFile

Serving = tuple[Emulator, dict[str, Any]]


@attrs.define
class Served:
    """The emulator that would have been served, and the arguments."""

    emulator: Emulator
    options: dict[str, Any]
    output: str


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Served]:
    """Return a function that runs the command with options, without a port."""
    seen: list[Serving] = []

    async def serve(emulator: Emulator, **options: Any) -> None:
        options["ready"](options["public_url"] or "http://127.0.0.1:8025")
        seen.append((emulator, options))

    def begin(*arguments: str) -> Served:
        result = invoke(*arguments)
        assert result.exit_code == 0, result.output
        return Served(*seen.pop(), result.output)

    monkeypatch.setattr(emulator_server, "serve", serve)
    return begin


def invoke(*arguments: str) -> Result:
    """Call the command."""
    return CliRunner().invoke(newsleopard, ["emulator", *arguments])


def test_emulator_is_as_documented_without_options(begin: Callable[..., Served]) -> None:
    """It listens on loopback, takes any key, and its first line says so."""
    served = begin()

    assert served.options["host"] == "127.0.0.1"
    assert served.options["port"] == 8025
    assert served.emulator.switches == Emulator().switches
    assert served.emulator.balance == 1_000_000
    assert served.emulator._account.api_keys is None
    first = served.output.splitlines()[0]
    assert "http://127.0.0.1:8025" in first
    assert "any API key" in first


def test_keys_are_not_shown(begin: Callable[..., Served]) -> None:
    """A real key can be passed by mistake, and the output can be a log of a CI."""
    served = begin("--api-key", "s3cret", "--api-key", "s3cret2")

    assert served.emulator._account.api_keys == ("s3cret", "s3cret2")
    assert "any" not in served.output
    assert "s3cret" not in served.output


def test_every_option_reaches_the_emulator(begin: Callable[..., Served]) -> None:
    """Switches by both names, the account, the clock and where webhooks go."""
    served = begin(
        *("--set", "first_page=1", "--switch", "strict=no"),
        *("--verified-sender", "@a.example", "--verified-sender", "b@b.example"),
        *("--balance", "12", "--seed", "7", "--speed", "60", "--hold-clock"),
        *("--webhook-host", "App", "--public-url", "https://e.example/", "--quiet"),
    )

    clock, switches = served.emulator.clock, served.emulator.switches
    assert (switches.first_page, switches.strict) == (1, False)
    assert switches.verified_senders == ("@a.example", "b@b.example")
    assert served.emulator.balance == 12
    assert served.emulator.add_segment("x").sn == Emulator(seed=7).add_segment("x").sn
    assert isinstance(clock, EmulatorClock)
    assert (clock.speed, clock.is_held) == (60, True)
    assert served.options["public_url"] == "https://e.example"
    assert served.options["on_request"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--speed", "0"], "0<x<=1000000"),
        (["--speed", "nan"], "'--speed': must be above 0 and at most 1,000,000"),
        (["--balance", "-1"], "x>=0"),
        (["--api-key", "鑰匙"], "'--api-key': a key has characters outside of ASCII"),
        (["--host", ""], "'--host': '' is not an address or a name"),
        (["--host", "http://localhost"], "write 127.0.0.1 or ::1, and the port by --port"),
        (["--host", "[::1]"], "'[::1]' is not an address or a name; write 127.0.0.1 or ::1"),
        (["--verified-sender", "example.com"], "@example.com for all addresses"),
        (["--verified-sender", ""], "'' is not an address or a domain"),
        (["--webhook-host", "http://app"], "is not the name of a host; write hooks.test"),
        (["--public-url", "app:80"], "is not a URL such as https://emulator.example.com"),
        (["--control-token", "short"], "token: must have at least 16"),
        (["--cors", "localhost:3000"], "is not an origin"),
        (["--cors", "http://a.example/x"], "is not an origin"),
        (
            ["--verified-sender", "@a", "--set", "verified_senders=@b"],
            "--verified-sender or --set verified_senders=…",
        ),
    ],
)
def test_wrong_option_is_refused(arguments: list[str], message: str) -> None:
    """The command names what is wrong, and what to write."""
    result = invoke(*arguments)

    assert result.exit_code == 2
    assert message in result.output


def test_other_hosts_are_warned_of(begin: Callable[..., Served]) -> None:
    """A host in a network is reported with a warning."""
    assert "reaches 0.0.0.0" in begin("--host", "0.0.0.0").output  # noqa: S104


@pytest.mark.parametrize(
    ("number", "way"),
    [
        (errno.EADDRINUSE, "another --port"),
        (errno.EACCES, "--port from 1024"),
        (errno.EADDRNOTAVAIL, "--host must be"),
    ],
)
def test_address_that_cannot_be_had_names_the_option(
    monkeypatch: pytest.MonkeyPatch, number: int, way: str
) -> None:
    """The message has the system's reason once, and no warning about the network."""

    async def serve(*_: Any, **__: Any) -> None:
        raise OSError(number, "the reason (while attempting to bind on address ('x', 1))")

    monkeypatch.setattr(emulator_server, "serve", serve)
    result = invoke("--host", "host.example", "--port", "81")

    assert result.exit_code == 2
    assert "set-up is wrong: Cannot listen on host.example:81: the reason; " in result.stderr
    assert way in result.output
    assert "can use this emulator" not in result.output


def test_page_is_for_this_machine_by_default(
    begin: Callable[..., Served],
) -> None:
    """Its address is shown, and no token is made."""
    served = begin()

    assert served.options["control"] == ControlOptions()
    assert "http://127.0.0.1:8025/\n" in served.output
    assert "token" not in served.output


def test_network_without_a_token_gets_one_that_is_shown_once(begin: Callable[..., Served]) -> None:
    """Each start generates another token, which is in the URL of the page."""
    tokens = []
    for _ in range(2):
        served = begin("--control", "network")
        control = served.options["control"]
        assert control.access == "network"
        assert served.output.count(f"http://127.0.0.1:8025/?token={control.token}\n") == 1
        tokens.append(control.token)

    assert tokens[0] != tokens[1]


def test_output_names_how_another_machine_opens_the_page(begin: Callable[..., Served]) -> None:
    """The printed address is this machine's; a public URL is for all machines."""
    assert "From another machine" in begin("--control", "network").output
    named = begin("--control", "network", "--public-url", "http://192.0.2.1:8025")
    assert "From another machine" not in named.output


def test_token_of_the_user_is_not_shown(
    begin: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can come from the environment, which no list of processes shows."""
    monkeypatch.setenv("NEWSLEOPARD_EMULATOR_TOKEN", "a-token-of-16-characters")
    served = begin("--control", "network", "--cors", "http://localhost:3000")

    assert served.options["control"] == ControlOptions(
        access="network", token="a-token-of-16-characters", origins=("http://localhost:3000",)
    )
    assert "a-token" not in served.output


def test_page_may_be_off(begin: Callable[..., Served]) -> None:
    """Then its address is not shown."""
    assert "browser" not in begin("--control", "off").output


@pytest.mark.parametrize("keys", [(), ("--api-key", "k1")])
def test_sample_exists_before_the_first_request(
    begin: Callable[..., Served], keys: tuple[str, ...]
) -> None:
    """Its day ends at present, and its clock then runs unless it is held."""
    runs, held = (begin("--sample", *keys, *more).emulator for more in ((), ("--hold-clock",)))

    assert len(runs.campaigns) == len(held.campaigns) == 5
    assert isinstance(runs.clock, EmulatorClock)
    assert isinstance(held.clock, EmulatorClock)
    assert (runs.clock.is_held, held.clock.is_held) == (False, True)
    behind = datetime.now(UTC) - held.clock.now()
    assert timedelta(0) <= behind < timedelta(minutes=1)

    runs.reset()
    runs.restore("sample")
    assert len(runs.campaigns) == len(held.campaigns)


def test_profile_is_that_of_the_state(begin: Callable[..., Served], tmp_path: Path) -> None:
    """The switches in the file belong to the profile, which the first line names."""
    path = tmp_path / "emulator.db"
    with StateFile(path) as state:
        state.save(Emulator(profile="vendor-2026"))

    served = begin("--state", str(path))

    assert "(vendor-2026)" in served.output
    assert served.emulator.profile == "vendor-2026"
    assert served.emulator.switches.later_endpoints


def test_state_overrides_samples_and_not_switches(
    begin: Callable[..., Served], tmp_path: Path
) -> None:
    """Only the switches of the command line replace the stored ones."""
    path = tmp_path / "state.db"
    with StateFile(path) as state:
        kept = Emulator(switches=Switches(first_page=1, strict=False))
        kept.add_sample_lists()
        state.save(kept)

    served = begin("--state", str(path), "--sample", "--set", "first_page=2")

    assert len(served.emulator.lists) == 4
    assert served.emulator.campaigns == ()
    assert (served.emulator.switches.first_page, served.emulator.switches.strict) == (2, False)
    assert abs(served.emulator.clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert isinstance(served.options["state"], StateFile)
    # Something that is not the sample has not its name.
    assert served.emulator.snapshots == ()


def test_state_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    """The file is left as it is."""
    path = tmp_path / "state.db"
    path.write_text("x" * 4096)

    result = invoke("--state", str(path))

    assert result.exit_code == 2
    assert "is not a state of the emulator" in result.output
    assert result.output.count("\n") == 1
    assert path.read_text() == "x" * 4096


CONFIG = """
port = 9000
api-key = ["k1", "k2"]
profile = "vendor-2026"
speed = 60
hold-clock = true
webhook-host = "app"

[set]
first_page = 1
strict = false
export_every_s = "none"
verified_senders = ["a@a.example", "@b.example"]
"""


def write(folder: Path, text: str) -> str:
    """Write a file of options and return its path."""
    path = folder / "emulator.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_options_come_from_a_file(begin: Callable[..., Served], tmp_path: Path) -> None:
    """They have the names of the command line; switches are in a table."""
    served = begin("--config", write(tmp_path, CONFIG))

    switches, clock = served.emulator.switches, served.emulator.clock
    assert served.options["port"] == 9000
    assert served.emulator._account.api_keys == ("k1", "k2")
    assert "vendor-2026" in served.output
    assert isinstance(clock, EmulatorClock)
    assert (clock.speed, clock.is_held) == (60, True)
    assert (switches.first_page, switches.strict, switches.export_every_s) == (1, False, None)
    assert switches.verified_senders == ("a@a.example", "@b.example")
    assert switches.later_endpoints  # of the profile


def test_command_line_overrides_the_file(begin: Callable[..., Served], tmp_path: Path) -> None:
    """It overrides the file's value of an option or switch, before or after --config."""
    arguments = ("--port", "9001", "--set", "first_page=2", "--api-key", "k3")
    served = begin(*arguments, "--config", write(tmp_path, CONFIG))

    assert served.options["port"] == 9001
    assert served.emulator._account.api_keys == ("k3",)
    assert served.emulator.switches.first_page == 2
    assert not served.emulator.switches.strict


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "no option has the name 'prot'; did you mean port?"),
        ("zzz = 1", "no option has the name 'zzz'; --help lists all"),
        ("switch = {}", "no option has the name 'switch'"),
        ("config = 'x'", "no option has the name 'config'"),
        ("api_key = 'x'", "no option has the name 'api_key'; did you mean api-key?"),
        ("port = true", "port must be text or a number, not true or false"),
        ("quiet = 1", "quiet must be true or false"),
        ("port = [1]", "port must be text or a number"),
        ("api-key = [1]", "api-key must be text, or an array of texts"),
        ("port = 70000", "70000 is not in the range 0<=x<=65535"),
        ("set = 1", "set must be a table; write [set] and first_page = 1 below it"),
        ("[set]\nfirst_pag = 1", "'first_pag' is not a switch; did you mean first_page?"),
        ("[set]\nfirst_page = 1979-05-27", "set.first_page must be a bool, a number, text"),
        ("port = ", "must be TOML in UTF-8"),
    ],
)
def test_wrong_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """The message has the name or the value, and what to write."""
    result = invoke("--config", write(tmp_path, text))

    assert result.exit_code == 2
    assert message in result.output


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """Its name and the reason are in the message."""
    result = invoke("--config", str(tmp_path / "none.toml"))

    assert result.exit_code == 2
    assert "none.toml: cannot be read: No such file" in result.output
