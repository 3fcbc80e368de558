"""Contacts that are read twice: by the check, and for the lines of rows that are refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import attrs

from newsleopard_async.aio import in_thread
from newsleopard_async.contacts.csv.encoding import EncodingDetector
from newsleopard_async.contacts.options import Options
from newsleopard_async.contacts.sources import (
    BytesSource,
    Contacts,
    PathSource,
    TextSource,
    as_source,
)
from newsleopard_async.contacts.spool import spool
from newsleopard_async.models.findings import ContactsReport
from newsleopard_async.workflows.checking import check_contacts
from newsleopard_async.workflows.progress import Progress

__all__ = ["Taken", "check_taken", "take"]


@attrs.frozen(kw_only=True)
class Taken:
    """Contacts that may be read more than once, and how.

    Attributes:
        contacts: What they are in.
        options: What the caller said of them; what is left out goes into the scratch folder.
        scratch: A folder of our own.
    """

    contacts: Path | bytes | str
    options: Options
    scratch: Path

    @property
    def clean(self) -> Path:
        """The CSV that goes out, once the contacts were checked and can be used."""
        return self.scratch / "contacts.csv"


async def take(contacts: Contacts, options: Options, scratch: Path) -> Taken:
    """Put what can be read only once into the scratch folder.

    Raises:
        InvalidRequest: they are nothing to read from, or the options do not go with them.
    """
    options = attrs.evolve(options, left_out_to=scratch / "left-out.csv")
    source = as_source(contacts)
    fitted = await options.fitted(source)
    match source:
        case PathSource(path=again) | BytesSource(content=again) | TextSource(text=again):
            return Taken(contacts=again, options=options, scratch=scratch)
        case _:
            detector = EncodingDetector(fitted.encoding)

            async def look(piece: bytes) -> bool:
                return await in_thread(partial(detector.feed, piece))

            file = await spool(source, scratch / "spooled", look)
            return Taken(contacts=file.path, options=fitted, scratch=scratch)


async def check_taken(taken: Taken, progress: Progress | None) -> ContactsReport:
    """Check the contacts and write what goes out; the rows that are left out are not kept."""
    report = await check_contacts(
        taken.contacts,
        encoding=taken.options.encoding,
        fix=taken.options.fix,
        left_out_to=taken.options.left_out_to,
        write_to=taken.clean,
        progress=progress,
    )
    return attrs.evolve(report, left_out_to=None)
