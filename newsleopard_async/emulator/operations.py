"""Which operation a request is: literal paths first, and ``//`` is never one slash (T12)."""

from __future__ import annotations

from typing import Final

from newsleopard_async.emulator.storage import STORAGE_PREFIX

__all__ = ["PATHS", "operation_of"]

PATHS: Final[tuple[tuple[str, str, str], ...]] = (
    ("GET", "/v1/report/campaigns", "list_campaigns"),
    ("POST", "/v1/report/{campaign_sn}/export", "export_report"),
    ("GET", "/v1/report/{campaign_sn}/link", "get_links"),
    ("POST", "/v1/contacts/imports/file", "start_file_import"),
    ("POST", "/v1/contacts/imports/text", "import_text"),
    ("GET", "/v1/contacts/imports/result/{import_sn}", "get_import"),
    ("POST", "/v1/contacts/imports/{list_sn}/file", "start_file_import"),
    ("POST", "/v1/contacts/imports/{list_sn}/text", "import_text"),
    ("POST", "/v1/contacts/lists/insert", "create_list"),
    ("GET", "/v1/contacts/lists", "list_lists"),
    ("POST", "/v1/campaign/normal/submit", "submit_campaign"),
    ("POST", "/v1/campaign/testing/submit", "submit_ab_test"),
)
"""Method, path and name of each endpoint, in the order in which they are tried."""


def operation_of(method: str, path: str) -> str:
    """Name the operation; ``unknown`` where there is none."""
    if path.startswith(STORAGE_PREFIX):
        return {"PUT": "upload", "GET": "download"}.get(method, "unknown")
    for known_method, template, name in PATHS:
        if method == known_method and _matches(template, path):
            return name
    return "unknown"


def _matches(template: str, path: str) -> bool:
    wanted, given = template.split("/"), path.split("/")
    return len(wanted) == len(given) and all(
        (part.startswith("{") and value) or part == value
        for part, value in zip(wanted, given, strict=True)
    )
