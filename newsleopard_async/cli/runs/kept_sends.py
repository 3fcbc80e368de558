"""What ``newsleopard send`` was given, kept until its campaign is accepted, for ``resume``.

A record of a run has hashes of its input, and not the input. So the campaign, the path of the
contacts and the options are kept beside the runs, in a file that only this user can read. It has no
key and no contact; contacts from a pipe are kept in a second file, because they cannot be read
again. Both are removed when the record of the run has the campaign, or after 28 days.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import attrs

from newsleopard_async.cli.run_commands import RunCommands, shell_quote
from newsleopard_async.cli.translation import reason_of
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import ConfigurationError, InvalidRequest
from newsleopard_async.files import (
    FileIdentity,
    make_private_folder,
    read_bounded,
    state_folder,
    write_durably,
)
from newsleopard_async.models import ListSn, Mailing
from newsleopard_async.plain import Plain, from_plain
from newsleopard_async.stores import FileStore

__all__ = ["KeptSends", "ResumableSend", "forget_send"]

_VERSION: Final = 1
"""The version of the files; a later one is refused, and not misread."""
_MOST_BYTES: Final = 64 * 1024**2
"""Chosen: six times the largest body of a mail, in JSON."""

_PIPED: Final = re.compile(r"piped-[0-9a-f]{16}\.csv")
_ORPHAN_S: Final = 86_400.0
"""Chosen: a person decides within a day whether to send; after it, the contacts of a process that
was killed before the send are removed."""
_LONGEST_S: Final = 28 * 86_400.0
"""Chosen: after 28 days a run without a record would not find its campaign, so resuming is not
safe, and contacts must not stay on the disk for ever. After it, only ``send`` itself continues."""


@attrs.frozen(kw_only=True)
class ResumableSend(Plain):
    """What a send was given.

    Attributes:
        campaign: The campaign or the A/B test, with its body.
        profile: The name of the profile; empty without one.
        send_key: The send key; None with a checkpoint.
        checkpoint: The absolute path of the checkpoint; None with a send key.
        contacts: The absolute path of the contacts; None without contacts.
        is_piped: Whether ``contacts`` is our copy of contacts from a pipe.
        list_sn: The list to import into.
        list_name: Or the name of a new list.
        reuse_list: Whether an existing list of that name is used.
        encoding: The encoding of the contacts.
        columns: Names that replace the names of columns.
        skip: The file of addresses to leave out.
        fix: The corrections to make.
        left_out_to: The file for rows that are left out.
        strict: Whether warnings refuse.
        max_rejected: How many rows the platform can reject.
        part_bytes: The largest size of a part.
        hold: How long the campaign is held.
        confirmed_contacts: What distinguishes the contacts that were shown from changed ones.
    """

    campaign: Mailing
    profile: str = ""
    send_key: str | None = None
    checkpoint: Path | None = None
    contacts: Path | None = None
    is_piped: bool = False
    list_sn: str | None = None
    list_name: str | None = None
    reuse_list: bool = False
    encoding: str | None = None
    columns: dict[str, str] | None = attrs.field(default=None, hash=False)
    skip: Path | None = None
    fix: tuple[str, ...] = ()
    left_out_to: Path | None = None
    strict: bool = False
    max_rejected: float | None = 0
    part_bytes: int | None = None
    hold: timedelta | None = None
    confirmed_contacts: str | None = None

    @property
    def target(self) -> str:
        """The name of the run in commands: its send key, or its checkpoint."""
        return self.send_key if self.send_key is not None else str(self.checkpoint)

    @property
    def place(self) -> dict[str, Any]:
        """The place of the run: the send key, or the checkpoint."""
        return {"send_key": self.send_key, "checkpoint": self.checkpoint}

    @property
    def commands(self) -> RunCommands:
        """The commands about its run."""
        profile = ("--profile " + shell_quote(self.profile),) if self.profile else ()
        return RunCommands(self.target, profile)

    def identity(self) -> str | None:
        """Return what distinguishes the contacts, and those to leave out, from changed ones.

        None without contacts.
        """
        if self.contacts is None:
            return None
        files = filter(None, (self.contacts, self.skip))
        try:
            return repr([FileIdentity.of(each.stat()) for each in files])
        except OSError:
            return None  # The check reports a missing file.

    def about_contacts(self) -> dict[str, Any]:
        """Return the arguments of `check_contacts`."""
        return {
            "encoding": self.encoding,
            "columns": self.columns,
            "skip": self.skip,
            "fix": self.fix,
            "left_out_to": self.left_out_to,
        }

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `send_campaign`, without the send key and the checkpoint."""
        return {
            **self.about_contacts(),
            "campaign": self.campaign,
            "contacts": self.contacts,
            "list_sn": None if self.list_sn is None else ListSn(self.list_sn),
            "list_name": self.list_name,
            "if_list_exists": "reuse" if self.reuse_list else "refuse",
            "strict": self.strict,
            "max_rejected": self.max_rejected,
            "part_bytes": self.part_bytes,
            "hold": self.hold,
        }


class KeptSends:
    """The sends of this user, in a folder; without a folder, none is kept."""

    def __init__(self) -> None:
        self._refusal: ConfigurationError | None = None
        try:
            folder = state_folder() / "sends"
            make_private_folder(folder)
            self._files = FileStore(folder)
        except OSError as error:
            # The run itself can have another place: a checkpoint, or a store for several hosts.
            self._refusal = _unusable(_("the folder of the sends"), error)

    def require(self) -> Path:
        """Return the folder.

        Raises:
            ConfigurationError: this user has no folder that can be used.
        """
        if self._refusal is not None:
            raise self._refusal
        return self._files.folder

    def find(self, profile: str, target: str) -> ResumableSend | None:
        """Return the send that a person names by its key, or by the path of its checkpoint.

        Raises: as `get`.
        """
        return self.get(profile, target) or self.get(profile, str(Path(target).absolute()))

    def get(self, profile: str, target: str) -> ResumableSend | None:
        """Return the send with a key, or the absolute path of a checkpoint; None if there is none.

        Raises:
            InvalidRequest: its file cannot be read by this version.
            ConfigurationError: as above, because the system refuses it.
        """
        if self._refusal is not None:
            return None
        return self._read(self._path_of(profile, target))

    def profile_of(self, target: str) -> str | None:
        """Return the profile of a send with a key or a checkpoint; None if there is none."""
        if self._refusal is not None:
            return None
        keys = (target, str(Path(target).absolute()))
        return next((send.profile for send in self._sends() if send.target in keys), None)

    def add(self, send: ResumableSend) -> None:
        """Keep a send instead of an earlier one of the same run.

        Raises:
            ConfigurationError: it cannot be written, or the folder is missing.
        """
        path = self._path_of(send.profile, send.target)
        earlier = None
        with contextlib.suppress(InvalidRequest, ConfigurationError):
            earlier = self._read(path)
        content = json.dumps({"version": _VERSION, "send": send.to_dict()}).encode()
        try:
            write_durably(path, content)
        except OSError as error:
            raise _unusable(str(path), error) from None
        if earlier is not None and earlier.contacts != send.contacts:
            _remove_copy(earlier)

    def remove(self, send: ResumableSend) -> None:
        """Remove a send and its contacts from a pipe; a failure does not matter."""
        with contextlib.suppress(OSError, ConfigurationError):
            self._path_of(send.profile, send.target).unlink(missing_ok=True)
        _remove_copy(send)

    def has(self, send: ResumableSend) -> bool:
        """Return whether a send is kept in the form that it has now."""
        with contextlib.suppress(InvalidRequest, ConfigurationError):
            stored = self._read(self._path_of(send.profile, send.target))
            return stored is not None and stored.contacts == send.contacts
        return False

    def release(self, send: ResumableSend) -> None:
        """Remove the copy of contacts from a pipe, unless the send is kept."""
        if not self.has(send):
            _remove_copy(send)

    def path_for_copy(self) -> Path:
        """Return a new path for contacts from a pipe.

        Raises:
            ConfigurationError: the folder is missing.
        """
        return self.require() / f"piped-{secrets.token_hex(8)}.csv"

    def sweep(self) -> None:
        """Remove sends that are too old, and contacts from pipes that no send needs."""
        if self._refusal is not None:
            return
        needed = {send.contacts for send in self._sends() if send.is_piped}
        for path in self.require().iterdir():
            if not _PIPED.fullmatch(path.name) and path.suffix != ".json":
                continue
            is_needed = path in needed or path.suffix == ".json"
            with contextlib.suppress(OSError):
                if _age_s(path) > (_LONGEST_S if is_needed else _ORPHAN_S):
                    path.unlink()

    def _sends(self) -> Iterator[ResumableSend]:
        for path in self._files.folder.glob("*.json"):
            # A file that cannot be read must not stop a send.
            with contextlib.suppress(InvalidRequest, ConfigurationError):
                if (send := self._read(path)) is not None:
                    yield send

    def _path_of(self, profile: str, target: str) -> Path:
        self.require()
        # No name of a profile and no key contains this character.
        return self._files.path_of(f"{profile}\n{target}")

    def _read(self, path: Path) -> ResumableSend | None:
        try:
            if _age_s(path) > _LONGEST_S:
                return None
            found = json.loads(read_bounded(path, _MOST_BYTES))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(str(path), error) from None
        except ValueError:
            found = None
        if isinstance(found, dict) and found.get("version") == _VERSION:
            with contextlib.suppress(InvalidRequest):
                return from_plain(ResumableSend, found.get("send"))
        message = _(
            "{path} is damaged, or was written by another version; run newsleopard send again with "
            "the same arguments, which continues"
        )
        raise InvalidRequest.of("KEY", "format", message.format(path=path))


def forget_send(profile: str, target: str, *, is_checkpoint: bool) -> None:
    """Remove a send that a person has given up, and its contacts; a failure does not matter.

    Args:
        profile: The name of the profile.
        target: The send key, or the path of the checkpoint.
        is_checkpoint: Whether it is a checkpoint.
    """
    with contextlib.suppress(InvalidRequest, ConfigurationError):
        kept = KeptSends()
        key = str(Path(target).absolute()) if is_checkpoint else target
        if (send := kept.get(profile, key)) is not None:
            kept.remove(send)


def _age_s(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _remove_copy(send: ResumableSend) -> None:
    if send.is_piped and send.contacts is not None:
        with contextlib.suppress(OSError):
            send.contacts.unlink(missing_ok=True)


def _unusable(where: str, error: OSError) -> ConfigurationError:
    message = _("{where} cannot be used: {reason}; it keeps what a send was given")
    return ConfigurationError(message.format(where=where, reason=reason_of(error)))
