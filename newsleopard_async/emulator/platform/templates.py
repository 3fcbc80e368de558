"""Templates (範本); a test adds them, because the API can only read them (T132)."""

from __future__ import annotations

from typing import Final

import attrs

from newsleopard_async.emulator.platform.fields import Refused
from newsleopard_async.emulator.platform.notation import Codes, as_code
from newsleopard_async.emulator.switches import SwitchBoard

__all__ = ["Template", "Templates"]

FIRST_NUMBER: Final = 101
"""Chosen: the first numeric id, which differs from any index in the list."""


@attrs.frozen
class Template:
    """One template.

    Attributes:
        id: The code; decimal digits if ids are numbers.
        name: The name.
        html: The HTML of the mail.
    """

    id: str
    name: str
    html: str = attrs.field(repr=False)


class Templates:
    """All templates of the account, the oldest first."""

    def __init__(self, *, codes: Codes, board: SwitchBoard) -> None:
        self.all: dict[str, Template] = {}
        self._codes = codes
        self._board = board

    def add(self, name: str, html: str) -> Template:
        """Add a template."""
        is_number = self._board.on.numeric_template_ids
        code = str(FIRST_NUMBER + len(self.all)) if is_number else self._codes.sn()
        return self.all.setdefault(code, Template(code, name, html))

    def as_list(self) -> list[dict[str, object]]:
        """Return all templates in the format of the API, without their HTML."""
        return [self._fields(each) for each in self.all.values()]

    def as_json(self, template_id: str) -> dict[str, object]:
        """Return one template in the format of the API.

        Raises:
            Refused: 40007 if it is unknown.
        """
        found = self.all.get(template_id)
        if found is None:
            raise Refused(40007)
        return {**self._fields(found), "html": found.html}

    def _fields(self, template: Template) -> dict[str, object]:
        on = self._board.on
        is_number = on.numeric_template_ids and template.id.isdecimal()
        return {
            "id": int(template.id) if is_number else as_code(template.id, on),
            "name": template.name,
        }
