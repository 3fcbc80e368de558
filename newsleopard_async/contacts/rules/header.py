"""The rules of the header: where the columns are, and whether they can be used.

If EMAIL or NAME is missing, the message names a column that is probably meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

import attrs

from newsleopard_async.contacts.csv.separators import (
    COMMA,
    KNOWN,
    folded,
    foreign_separator,
    looks_like_address,
)
from newsleopard_async.contacts.rules.renaming import rename_columns
from newsleopard_async.contacts.rules.text_rules import flaws_of_name
from newsleopard_async.contacts.rules.trimming import has_invisible, trim
from newsleopard_async.disclosure import shown
from newsleopard_async.models.contacts import RESERVED_COLUMNS
from newsleopard_async.models.findings import Finding, Level, counted, either

__all__ = ["MOST_COLUMNS", "REQUIRED", "Header", "email_column", "read_header"]

MOST_COLUMNS: Final = 1_000
"""Chosen: far more than a list needs; a file that has lost its line ends has more."""
REQUIRED: Final = ("EMAIL", "NAME")


def _words(text: str) -> list[str]:
    return text.split()


_ALIASES: Final = {
    "EMAIL": frozenset(
        _words("""
        mail mails emails emailaddress mailaddress emailaddr useremail memberemail
        信箱 信箱地址 郵件 郵件地址 電郵 電郵地址 電子郵件 電子郵件地址 電子信箱 電子郵箱 郵箱
        邮箱 电子邮件 電子メール メールアドレス メール 會員信箱 聯絡信箱
        """)
    ),
    "NAME": frozenset(
        _words("""
        names fullname username firstname displayname membername customername contactname
        姓名 名字 名稱 名称 稱呼 暱稱 會員姓名 會員名稱 客戶姓名 客戶名稱 收件人 收件人姓名
        中文姓名 聯絡人 氏名 名前 お名前
        """)
    ),
}
_NO_LETTER: Final = re.compile(r"[\W_]+")


@attrs.frozen(kw_only=True)
class Header:
    """The columns of a file.

    Attributes:
        cells: The names in the file without surrounding blanks, or the caller's names.
        given: The names in the file without surrounding blanks, even if the caller renames them.
        order: The index in a row of each cell that is written: EMAIL, NAME, and the rest; empty
            if one of the two is missing.
        findings: The problems of the header, including those that are put right.
    """

    cells: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    order: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether the rows below it can be written."""
        return all(finding.level != "error" for finding in self.findings)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are written."""
        return (*REQUIRED, *(self.cells[index] for index in self.order[2:])) if self.order else ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the columns for messages, in the order of the file."""
        labels = [shown(cell) or f"column {index}" for index, cell in enumerate(self.cells, 1)]
        for name in REQUIRED:
            if (index := self.index_of(name)) is not None:
                labels[index] = name
        return tuple(labels)

    def index_of(self, name: str) -> int | None:
        """Return the index in the file of the first column of a name."""
        names = [folded(cell) for cell in self.cells]
        return names.index(folded(name)) if folded(name) in names else None


def read_header(
    row: Sequence[str],
    *,
    line: int,
    text: str,
    separator: str,
    is_broken: bool,
    goes_as_it_is: bool = False,
    columns: Mapping[str, str] | None = None,
) -> Header:
    """Read the first row.

    Args:
        row: The cells.
        line: The number of the line.
        text: The line as it is in the file.
        separator: The separator of the cells.
        is_broken: Whether a quoted cell continues in the next line, or is never closed.
        goes_as_it_is: Whether nothing is put right, so the header must have the platform's form.
        columns: The caller's names of columns, by the names in the file.
    """
    fatal = _fatal(row, separator, is_broken=is_broken)
    if fatal is not None:
        header = Header(findings=(fatal,))
    else:
        cells = tuple(map(trim, row))
        names = rename_columns(cells, columns or {}, line=line)
        if names.findings:
            header = Header(findings=names.findings)
        else:
            header = _read_names(names.cells, text, separator, goes_as_it_is=goes_as_it_is)
        header = attrs.evolve(header, given=cells)
    findings = (attrs.evolve(each, line=line, places=(line,)) for each in header.findings)
    return attrs.evolve(header, findings=tuple(findings))


def _read_names(
    cells: tuple[str, ...], text: str, separator: str, *, goes_as_it_is: bool
) -> Header:
    names = [folded(cell) for cell in cells]
    missing = [name for name in REQUIRED if folded(name) not in names]
    if missing:
        finding = _finding_of_missing(missing, cells, text, goes_as_it_is=goes_as_it_is)
        if finding.rule != "header-order" or REQUIRED[0] in missing or _is_contact(cells):
            return Header(findings=(finding,))
        # There are addresses, so the rows can still be checked.
        return Header(cells=cells, findings=(finding, *_findings_of_names(cells)))
    first = [names.index(folded(name)) for name in REQUIRED]
    order = (*first, *(index for index in range(len(cells)) if index not in first))
    form = _findings_of_form(text, separator, goes_as_it_is=goes_as_it_is)
    return Header(cells=cells, order=order, findings=(*_findings_of_names(cells), *form))


def _finding(level: Level, rule: str, message: str, *, column: str | None = None) -> Finding:
    return Finding(level=level, rule=rule, message=message, column=column)


def _fatal(row: Sequence[str], separator: str, *, is_broken: bool) -> Finding | None:
    """Return why a line cannot be a header, independent of its names."""
    if "\0" in "".join(row):
        return _finding("error", "null-byte", "has a NUL in its header; export it again")
    if is_broken:
        return _finding(
            "error",
            "line-break",
            "has a quote in its header that is not closed in the same line; close the quote",
        )
    if len(row) > MOST_COLUMNS:
        return _finding(
            "error",
            "column-count",
            f"has {len(row):,} columns, and at most {MOST_COLUMNS:,} are allowed; check whether "
            "the line ends were lost",
        )
    if separator not in KNOWN:
        return _finding("error", "separator", f"separates columns by {separator}; use commas")
    return None


def _is_contact(cells: Sequence[str]) -> bool:
    """Return whether the first line is a contact, because one of its cells is an address."""
    return any(map(looks_like_address, cells))


def _finding_of_missing(
    missing: Sequence[str], cells: Sequence[str], text: str, *, goes_as_it_is: bool
) -> Finding:
    """Report the missing columns; a line without both can be a contact, so it is not shown."""
    if (foreign := foreign_separator(text)) is not None:
        return _finding("error", "separator", f"separates columns {foreign}; use commas")
    if _is_contact(cells):
        return _finding(
            "error",
            "header-order",
            "has no header: its first line looks like a contact; put a line EMAIL,NAME above it",
        )
    is_header = len(missing) < len(REQUIRED)
    meant = {
        shown(near): name
        for name in missing
        if (near := _near_miss(name, cells, is_header=is_header)) is not None
    }
    return _finding(
        "error",
        "header-order",
        f"has no column {' and no column '.join(missing)} in its first line; "
        f"{_remedy(missing, meant, may_rename=not goes_as_it_is)}",
    )


def _remedy(missing: Sequence[str], meant: Mapping[str, str], *, may_rename: bool) -> str:
    """Return how the columns get their names: in the file, or by an argument."""
    if not meant:
        return f"begin with EMAIL,NAME{', or name them by columns=' * may_rename}"
    renamings = [f"rename the column {near} to {name}" for near, name in meant.items()]
    others = [name for name in missing if name not in meant.values()]
    renamings += [f"give another column the name {name}, or add one" for name in others]
    if may_rename:
        way = "name them by columns=" if others else f"use columns={meant!r}"
        renamings.append(f"or leave the file as it is, and {way}")
    return "; ".join(renamings)


def _findings_of_names(cells: Sequence[str]) -> Iterator[Finding]:
    columns: dict[str, list[str]] = {}
    for cell in cells:
        columns.setdefault(folded(cell), []).append(cell)
    nameless = columns.pop("", [])
    if nameless:
        yield _finding_of_nameless(len(nameless))
    yield from (_finding_of_same(same) for same in columns.values() if len(same) > 1)
    for cell in cells:
        if folded(cell) in RESERVED_COLUMNS:
            yield _finding(
                "warning",
                "reserved-header",
                f"has a column {shown(cell)}, a name that the platform reserves, with unknown "
                "effect; choose another name, unless you mean the platform's own field",
                column=shown(cell),
            )
        yield from _findings_of_damage(cell)


def _findings_of_damage(name: str) -> Iterator[Finding]:
    """Yield the findings about a damaged name, for which no placeholder can be written."""
    for rule, says in flaws_of_name(name):
        message = f"has a column {shown(name)} {says}"
        yield _finding("warning", rule, message, column=shown(name))
    if has_invisible(name):
        yield _finding(
            "warning",
            "invisible-character",
            f"has a column {shown(name)} with an invisible character in its name, so a typed "
            "placeholder does not match it; type the name again",
            column=shown(name),
        )


def _finding_of_nameless(count: int) -> Finding:
    what = either(count, "a column", counted(count, "column"))
    it = either(count, "it", "each")
    message = f"has {what} without a name; name {it} or remove {it}"
    return attrs.evolve(_finding("error", "empty-header", message), count=count)


def _finding_of_same(same: Sequence[str]) -> Finding:
    spellings = " or ".join(dict.fromkeys(map(shown, same)))
    finding = _finding(
        "error",
        "duplicate-header",
        f"has {len(same)} columns of the name {spellings}, and case and spaces make no "
        "difference; rename or remove all except one",
        column=shown(same[0]),
    )
    return attrs.evolve(finding, count=len(same))


def _findings_of_form(text: str, separator: str, *, goes_as_it_is: bool) -> Iterator[Finding]:
    """Yield the differences from the platform's form: errors, or notes if they are put right."""
    level: Level = "error" if goes_as_it_is else "note"
    if separator != COMMA:
        way_out = "use commas" if goes_as_it_is else "commas are written"
        yield _finding(level, "separator", f"separates columns {KNOWN[separator]}; {way_out}")
    beginning = separator.join(REQUIRED)
    if text != beginning and not text.startswith(beginning + separator):
        way_out = (
            "write them first, in upper case and without quotes"
            if goes_as_it_is
            else "the clean CSV does"
        )
        yield _finding(level, "header-order", f"does not begin with EMAIL,NAME; {way_out}")


def email_column(cells: Sequence[str]) -> int | None:
    """Return the index of the column of addresses, by its name or another word for it."""
    names = list(map(folded, cells))
    if (name := folded(REQUIRED[0])) in names:
        return names.index(name)
    near = _near_miss(REQUIRED[0], cells, is_header=False)
    return None if near is None else cells.index(near)


def _near_miss(wanted: str, names: Sequence[str], *, is_header: bool) -> str | None:
    """Return the column name that probably means EMAIL or NAME.

    Args:
        wanted: EMAIL or NAME.
        names: The cells of the first line, which is possibly a contact.
        is_header: Whether it certainly is a header. Only then similar spelling counts, because
            the returned cell is shown.
    """
    plain = {_NO_LETTER.sub("", name).casefold(): name for name in reversed(names)}
    for alias, name in plain.items():
        if alias in _ALIASES[wanted] or alias == wanted.casefold():
            return name
    close = get_close_matches(wanted.casefold(), plain, n=1, cutoff=0.75) if is_header else []
    return plain[close[0]] if close else None
