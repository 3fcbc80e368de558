"""Which language a page is in: as the reader chose, else as the browser asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from starlette.requests import Request

from newsleopard_async.emulator.sandbox.page.translations import CHINESE

__all__ = ["COOKIE", "TAGS", "Language", "language_of", "translator"]

Language = Literal["en", "zh"]
COOKIE: Final = "newsleopard-emulator-language"
TAGS: Final[Mapping[Language, str]] = {"en": "en", "zh": "zh-Hant-TW"}
"""What ``<html lang>`` says."""


def language_of(request: Request) -> Language:
    """Choose: ``?lang=``, else the cookie that it left, else ``Accept-Language``, else English."""
    for chosen in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if chosen == "zh":
            return "zh"
        if chosen == "en":
            return "en"
    return _first_known(request.headers.get("accept-language", ""))


def _first_known(accepted: str) -> Language:
    """Return the language that is wanted most, of those that there are."""
    wanted = []
    for place, part in enumerate(accepted.split(",")):
        tag, _, weight = part.partition(";")
        name = tag.strip().lower().partition("-")[0]
        if name in TAGS:
            wanted.append((-_weight(weight), place, name))
    best = min(wanted, default=(0.0, 0, "en"))
    return "zh" if best[2] == "zh" and best[0] < 0 else "en"


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def translator(language: Language) -> Callable[..., str]:
    """Return what puts a text of English into a language, and values into its gaps."""

    def translate(text: str, **values: object) -> str:
        said = CHINESE.get(text, text) if language == "zh" else text
        return said.format(**values) if values else said

    return translate
