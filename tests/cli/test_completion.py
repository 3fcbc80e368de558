"""A shell completes commands, options, profiles and send keys."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import click
import pytest
from click.testing import CliRunner

from newsleopard_async.cli import completion_values
from newsleopard_async.cli.command_line import newsleopard
from newsleopard_async.stores import FileStore

COMMAND = f"""\
#!/bin/sh
exec "{sys.executable}" -c 'import sys; sys.argv[0] = "newsleopard"
from newsleopard_async.cli import main; main()' "$@"
"""

ASK_BASH = """\
COMP_WORDS=(newsleopard runs spr)
COMP_CWORD=2
_newsleopard_completion newsleopard
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "APPDATA", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("NEWSLEOPARD_PROFILE", raising=False)


def completed(line: str, shell: str = "bash") -> list[str]:
    """Return the lines that the script of a shell reads, for the last word of a line."""
    quote = "'" if line.count("'") % 2 else ""
    words = [*shlex.split(line + quote), *([""] if line.endswith(" ") else [])]
    number = words[-1] if shell == "fish" else str(len(words) - 1)
    result = CliRunner().invoke(
        newsleopard,
        [],
        env={
            "_NEWSLEOPARD_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": number,
        },
    )
    assert result.exit_code == 0, result.output
    return [each for each in result.stdout.splitlines() if each]


def store_runs(*keys: str) -> None:
    """Store a run under each key, in this user's files."""

    async def save() -> None:
        for key in keys:
            await FileStore().save(key, {}, None)

    anyio.run(save)


def test_commands_are_completed_without_loading_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names are known, so the answer does not wait for the libraries of all commands."""

    def refuse(*_: object) -> None:
        raise AssertionError("a command was loaded")

    monkeypatch.setattr(type(newsleopard), "get_command", refuse)

    assert completed("newsleopard prof") == ["plain,profile"]
    assert completed("newsleopard em", "fish") == [
        "plain,emulator\tServe an emulated NewsLeopard until Ctrl-C or SIGTERM."
    ]
    assert "plain,--version" in completed("newsleopard --v")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("newsleopard runs --state h", ["plain,held"]),
        ("newsleopard emulator --profile v", ["plain,vendor-2026"]),
        ("newsleopard emulator --sample", ["plain,--sample", "plain,--sample-lists"]),
        ("newsleopard emulator --config ", ["file,"]),
        ("newsleopard completion f", ["plain,fish"]),
        ("newsleopard profile re", ["plain,remove"]),
    ],
)
def test_options_and_their_values_are_completed(line: str, expected: list[str]) -> None:
    """Choices, options, files and commands of a group are offered."""
    assert completed(line) == expected


def test_names_of_profiles_are_completed() -> None:
    """Wherever a profile is named, the names of the file are offered."""
    CliRunner().invoke(newsleopard, ["profile", "set", "shop"])
    CliRunner().invoke(newsleopard, ["profile", "set", "crm"])

    assert completed("newsleopard profile remove s") == ["plain,shop"]
    assert completed("newsleopard balance --profile c") == ["plain,crm"]


def test_send_keys_are_completed_as_words_of_the_shell() -> None:
    """For bash we quote, except inside of quotes; other shells quote themselves."""
    store_runs("spring sale", "spring-2027", "中秋", "x\ny")

    assert completed("newsleopard runs sp") == [r"plain,spring\\ sale", "plain,spring-2027"]
    assert completed("newsleopard resolve 'spring s") == ["plain,spring sale"]
    assert "spring sale" in completed("newsleopard retry ", "zsh")
    assert "plain,中秋" in completed("newsleopard runs ", "fish")
    assert not [each for each in completed("newsleopard runs ") if "x" in each]


def test_target_is_a_send_key_or_a_file() -> None:
    """The commands that find out what they were given complete both."""
    store_runs("spring")

    assert completed("newsleopard status sp") == ["file,sp", "plain,spring"]
    assert completed("newsleopard resume sp") == ["file,sp", "plain,spring"]
    assert completed("newsleopard send --html ma") == ["file,ma"]


def test_another_store_is_not_asked() -> None:
    """A completion needs no network: the keys at a URL, or of a profile's store, are not read."""
    store_runs("spring")
    CliRunner().invoke(newsleopard, ["profile", "set", "shop", "--store=redis://host"])

    assert completed("newsleopard runs --url redis://host ") == []
    CliRunner().invoke(newsleopard, ["profile", "set", "shop", "--default"])
    assert completed("newsleopard runs ") == []


def test_slow_folder_completes_only_what_was_read_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder on a network must not make the tab key wait."""

    async def keys(_: FileStore) -> AsyncIterator[str]:
        yield "first"
        await anyio.sleep_forever()

    monkeypatch.setattr(FileStore, "keys", keys)
    monkeypatch.setattr(completion_values, "_WITHIN_S", 0.01)

    assert completed("newsleopard runs f") == ["plain,first"]


def test_damaged_files_complete_nothing(tmp_path: Path) -> None:
    """The line that a user is typing is not disturbed by an error."""
    folder = tmp_path / "newsleopard-async"
    folder.mkdir()
    (folder / "config.toml").write_text("[", "utf-8")
    (folder / "runs").write_text("", "utf-8")

    assert completed("newsleopard profile remove ") == []
    assert completed("newsleopard runs ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_is_the_one_of_the_shell(shell: str, tmp_path: Path) -> None:
    """The printed script is for the installed command, and the shell can parse it."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"

    result = CliRunner().invoke(newsleopard, ["completion", shell])
    script.write_text(result.stdout, "utf-8")

    assert result.exit_code == 0
    assert "_NEWSLEOPARD_COMPLETE" in result.stdout
    subprocess.run([shell, "-n", script], check=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "ask"),
    [
        ("bash", ASK_BASH),
        ("fish", 'complete --do-complete "newsleopard runs spr"'),
    ],
)
def test_shell_gets_the_keys_from_the_installed_command(
    shell: str, ask: str, tmp_path: Path
) -> None:
    """The script asks the command, and understands its answer."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    store_runs("spring sale, 50%")
    command = tmp_path / "newsleopard"
    command.write_text(COMMAND, "utf-8")
    command.chmod(0o700)
    script = CliRunner().invoke(newsleopard, ["completion", shell]).stdout

    run = subprocess.run(
        [shell, "-c", f"{script}\n{ask}"],
        check=True,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )

    expected = r"spring\ sale,\ 50\%" if shell == "bash" else "spring sale, 50%"
    assert run.stdout.splitlines() == [expected.replace(r"\%", "%")]


def test_every_file_of_an_option_is_completed() -> None:
    """An option or argument that names a file or folder tells the shell so."""
    missing = [
        f"{name} {parameter.name}"
        for name in newsleopard.list_commands(click.Context(newsleopard))
        for parameter in (newsleopard.get_command(click.Context(newsleopard), name) or _none).params
        if _names_a_file(parameter) and not _completes(parameter)
    ]

    assert missing == []


_none = click.Command("none")


def _names_a_file(parameter: click.Parameter) -> bool:
    return any(word in (parameter.metavar or "") for word in ("FILE", "FOLDER"))


def _completes(parameter: click.Parameter) -> bool:
    custom: Callable[..., object] | None = parameter._custom_shell_complete
    return isinstance(parameter.type, click.Path | click.File) or custom is not None
