"""The rules for contacts, with the summaries that the documentation prints.

`import_text` checks a CSV that is imported exactly as it is.
"""

from __future__ import annotations

from typing import Final

from newsleopard_async.models.findings import RuleInfo

__all__ = ["CONTACT_RULES", "ROW_RULES"]

CONTACT_RULES: Final[tuple[RuleInfo, ...]] = (
    RuleInfo("not-text", "error", "binary data, an archive, an image, or a line without an end"),
    RuleInfo("spreadsheet-file", "error", "a workbook that cannot be read; save it as CSV"),
    RuleInfo(
        "workbook",
        "warning",
        "a workbook with further sheets, which are not read, with hidden rows, or with formulas "
        "without a result",
    ),
    RuleInfo("empty-file", "error", "no bytes, or only blank space"),
    RuleInfo("no-rows", "error", "a header without a contact below it"),
    RuleInfo(
        "encoding",
        "error, warning or note",
        "bytes that fit no supported encoding, or several (error); CP950, which was detected by "
        "decoding the whole file (warning); UTF-16, or the encoding of `encoding=` (note)",
    ),
    RuleInfo("byte-order-mark", "note", "a byte order mark before UTF-8, which is removed"),
    RuleInfo(
        "separator",
        "note or error",
        "columns separated by semicolons or tabs, which become commas (note), or by other "
        "characters (error)",
    ),
    RuleInfo(
        "header-order",
        "note or error",
        "EMAIL and NAME in another position or form, which is put right (note), or missing (error)",
    ),
    RuleInfo(
        "column-names",
        "error",
        "a name of `columns=` that the file lacks, or that another column already has",
    ),
    RuleInfo("duplicate-header", "error", "columns of the same name, ignoring case and spaces"),
    RuleInfo("empty-header", "error", "a column without a name"),
    RuleInfo("invisible-character", "warning", "an invisible character in a column's name"),
    RuleInfo("reserved-header", "warning", "a column's name that the platform reserves"),
    RuleInfo(
        "column-count",
        "error or note",
        "a row with more or fewer cells than the header, or over 1,000 columns (error); rows that "
        "were filled up with empty cells (note)",
    ),
    RuleInfo(
        "line-break",
        "error or note",
        "a line break inside a cell, or a quote that is never closed (error); line ends of "
        "several kinds (note)",
    ),
    RuleInfo("null-byte", "error", "a NUL, for example from a damaged export"),
    RuleInfo(
        "missing-email",
        "error or note",
        "a row without an address (error); blank rows, which are left out (note)",
    ),
    RuleInfo(
        "invalid-email",
        "error or warning",
        "text that is not an address (error), or an address that cannot exist on the internet "
        "(warning)",
    ),
    RuleInfo(
        "duplicate-email",
        "warning or note",
        "an address that an earlier row has (warning); rows that were dropped for that (note)",
    ),
    RuleInfo(
        "skipped",
        "note or warning",
        "rows whose address is in the list of `skip=` (note); entries of that list without an "
        "address (note), or with an at sign and no address (warning)",
    ),
    RuleInfo("empty-name", "warning", "a contact without a visible name"),
    RuleInfo("null-word", "warning", "a program's word for an empty value, NULL or undefined"),
    RuleInfo(
        "lost-character", "warning", "the replacement of a character that a conversion has lost"
    ),
    RuleInfo("double-decoding", "warning", "text that was once read in a wrong encoding"),
    RuleInfo("character-reference", "warning", "a character reference of HTML, such as `&#22531;`"),
    RuleInfo("spreadsheet-error", "warning", "a formula that failed, `#N/A`, or `####`"),
    RuleInfo("text-apostrophe", "warning", "the apostrophe by which a spreadsheet marks text"),
    RuleInfo("markup", "warning", "a tag of HTML, which takes effect in the mail"),
    RuleInfo(
        "unescaped-value",
        "note",
        "`<` or `&` in a column that the HTML of the mail uses; `send_campaign` reports it",
    ),
    RuleInfo("link-in-name", "warning", "a link in a name, as robots enter them into forms"),
    RuleInfo("placeholder-in-value", "warning", "a placeholder, which is not replaced in a value"),
    RuleInfo(
        "mixed-type",
        "warning",
        "a value of another type in a column of numbers or dates; the platform might reject its "
        "row",
    ),
    RuleInfo("leading-zero", "warning", "a zero that a column of numbers would lose, or has lost"),
    RuleInfo("formula", "warning", "a cell that a spreadsheet would execute"),
    RuleInfo("quote", "note", "a quote that should have been doubled; it stays in the cell"),
    RuleInfo("large-file", "warning", "more than 10 MB, the limit per file in the vendor's guide"),
    RuleInfo("too-large-for-text", "note", "too large for an import as text; a file is uploaded"),
)

ROW_RULES: Final = frozenset({"column-count", "missing-email", "invalid-email"})
"""The rules by which the platform would reject a row."""
