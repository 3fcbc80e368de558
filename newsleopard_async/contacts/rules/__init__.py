"""The rules of contacts: what is judged here, rule by rule, as the documentation prints them.

`import_text` is for a CSV that is to be imported exactly as it is.
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
        "a workbook with other sheets than the one that is read, hidden rows, or formulas without "
        "a result",
    ),
    RuleInfo("empty-file", "error", "no bytes, or nothing but blank space"),
    RuleInfo("no-rows", "error", "a header, and no contact below it"),
    RuleInfo(
        "encoding",
        "error, warning or note",
        "bytes of no encoding that is taken, or of several alike (error); CP950 found by decoding "
        "all of it (warning); UTF-16, or an encoding that was said (note)",
    ),
    RuleInfo("byte-order-mark", "note", "a mark before UTF-8, which is left out"),
    RuleInfo(
        "separator",
        "note or error",
        "semicolons or tabs between the columns, for which commas go out (note), or others (error)",
    ),
    RuleInfo(
        "header-order",
        "note or error",
        "EMAIL and NAME in another place or form, which is put right (note), or missing (error)",
    ),
    RuleInfo(
        "column-names",
        "error",
        "a name of `columns=` that the file lacks, or that another column has already",
    ),
    RuleInfo("duplicate-header", "error", "columns of the same name but for case and spaces"),
    RuleInfo("empty-header", "error", "a column without a name"),
    RuleInfo("invisible-character", "warning", "a column's name with a character that is not seen"),
    RuleInfo("reserved-header", "warning", "a name that the platform reserves for itself"),
    RuleInfo(
        "column-count",
        "error or note",
        "a row with more or fewer cells than the header, or over 1,000 columns (error); rows that "
        "were filled with empty cells (note)",
    ),
    RuleInfo(
        "line-break",
        "error or note",
        "a line break inside a cell, or a quote that is never closed (error); line ends of "
        "several kinds (note)",
    ),
    RuleInfo("null-byte", "error", "a NUL, which a damaged export leaves"),
    RuleInfo(
        "missing-email",
        "error or note",
        "a row without an address (error); blank rows, which are left out (note)",
    ),
    RuleInfo(
        "invalid-email",
        "error or warning",
        "an address that is none (error), or that nobody on the internet has (warning)",
    ),
    RuleInfo(
        "duplicate-email",
        "warning or note",
        "an address that an earlier row has (warning); rows that were dropped for it (note)",
    ),
    RuleInfo(
        "skipped",
        "note or warning",
        "rows whose address is in the list of `skip=` (note); entries of that list without an "
        "address (note), or with an at sign and no address (warning)",
    ),
    RuleInfo("empty-name", "warning", "a contact without a name that can be seen"),
    RuleInfo("null-word", "warning", "a program's word for nothing, such as NULL or undefined"),
    RuleInfo(
        "lost-character", "warning", "what a conversion leaves of a character that it cannot write"
    ),
    RuleInfo("double-decoding", "warning", "text that was read in a wrong encoding before"),
    RuleInfo("character-reference", "warning", "a character as HTML writes it, such as `&#22531;`"),
    RuleInfo("spreadsheet-error", "warning", "a formula that failed, `#N/A`, or `####`"),
    RuleInfo("text-apostrophe", "warning", "the apostrophe by which a spreadsheet marks text"),
    RuleInfo("markup", "warning", "a tag of HTML, which takes effect in the mail"),
    RuleInfo(
        "unescaped-value",
        "note",
        "`<` or `&` in a column that the HTML of the mail has; `send_campaign` reports it",
    ),
    RuleInfo("link-in-name", "warning", "a link in a name, as robots enter them into forms"),
    RuleInfo("placeholder-in-value", "warning", "a placeholder, which is not replaced in a value"),
    RuleInfo(
        "mixed-type",
        "warning",
        "another value in a column of numbers or dates, whose row the platform may refuse",
    ),
    RuleInfo("leading-zero", "warning", "a zero that a column of numbers would lose, or has lost"),
    RuleInfo("formula", "warning", "a cell that a spreadsheet would execute"),
    RuleInfo("quote", "note", "a quote that should have been doubled; it stays in the cell"),
    RuleInfo("large-file", "warning", "more than the 10 MB a file of the vendor's guide"),
    RuleInfo("too-large-for-text", "note", "too large for an import as text; it goes as a file"),
)

ROW_RULES: Final = frozenset({"column-count", "missing-email", "invalid-email"})
"""The rules by which the platform would reject a row."""
