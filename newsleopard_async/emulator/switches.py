"""The switches of an emulator: one name for each point that the documentation leaves open.

The defaults are the forms that the documentation prints. Set switches at the start
(``Emulator(switches=Switches(lists_as_array=True))``) or at any time
(``emulator.switch(lists_as_array=True)``).
"""

from __future__ import annotations

import codecs
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import attrs

__all__ = ["PROFILES", "Profile", "SwitchBoard", "Switches"]

Profile = Literal["documented", "vendor-2026"]


@attrs.frozen(kw_only=True)
class Switches:
    """The emulator's options, each with the points of docs/platform.md that it decides.

    Attributes:
        requests_per_s: Most requests of one key in any sliding second; None for no limit (T05).
        requests_per_day: The same for any sliding 24 hours (T07).
        limit_status: Status of a refusal by a rate limit (T06).
        second_limit_message: Its text if the limit per second refuses (T06).
        day_limit_message: Its text if the daily quota refuses (T06).
        schedule_may_be_short: An immediate send can omit ``timezone`` and ``scheduleDate``, even
            if ``strict`` (T69).
        strict: Refuse what the documented request schemas refuse (T25, T69, T86, T96).
        vendor_limits: Apply the lengths of the vendor's notes, and accept the preheader (T81, T82).
        code_field: Name of the code in a refusal (T88).
        codes_as_integers: Every ``code`` is a number, not only 40012 (T88).
        invalid_fields_as_text: ``invalidFields`` is text, as in the printed schema (T89).
        date_form: Form of all dates in answers: as ``"documented"``, with the ``"offset"``
            ``+00:00`` or the ``"compact_offset"`` ``+0000`` for ``Z``, with ``"no_zone"``, with a
            ``"blank"`` for ``T``, as a number of ``"seconds"`` or ``"millis"`` since 1970, as
            ``"empty"`` text, or as ``"null"`` (T108).
        count_form: Form of all counts in answers: as ``"documented"``, as a ``"number"``, as
            ``"text"``, as ``"grouped"`` text such as ``"1,000"``, or as empty text, ``"blank"``
            (T55).
        numeric_codes: New codes of lists, campaigns and imports are decimal digits. Answers have
            them as JSON numbers, paths as digits; a submit can name lists by numbers or by text
            (T16, T64).
        lists_as_array: Lists come as a plain array, with ``segVersion`` (T54, T57).
        lists_wrapper: Name of the array of lists, next to a ``pageInfo``; None for ``Lists``
            alone. A plain array has neither (T54).
        counts_as_numbers: ``subscribedCnt`` is a number, if ``count_form`` is as documented (T55).
        default_page_size: Lists per page if the request has no ``size`` (T59).
        most_lists_on_page: Largest ``size``; a larger one counts as this; None for no limit (T59).
        first_page: Number of the first page of lists (T58).
        page_before_first: Answer for a page with a smaller number: the ``"first"`` page, an
            ``"empty"`` page, or ``"refused"`` with 40001 (T58).
        list_delay_s: Seconds until a new list appears among the lists (T53).
        missing_accept_is_500: A text import into a list without ``Accept`` gets an empty 500 (T10).
        text_import_max_bytes: Largest body of a text import (T28).
        text_import_too_large_code: Code of the refusal of a larger body (T28).
        bom_spoils_header: A byte order mark is read as part of EMAIL (T36).
        file_max_bytes: Largest file that is imported; a larger one ends in ERROR; None for no
            limit (T30).
        predefined_columns: The only custom variables an import may use; None for any (T40).
        reserved_columns_are_errors: A reserved column name ends the import in ERROR (T41).
        import_base_s: Seconds that an import takes in addition to the time for its rows (T08).
        import_rows_per_s: Rows that an import reads per second.
        import_kept_days: Days for which the result of an import can be requested (T50).
        import_unknown_s: Seconds after its upload for which an import is unknown (T50).
        unknown_import: Answer for an unknown import: ``"400"`` or ``"404"`` without content,
            or ``"40007"``, a 400 with that code (T50).
        unstarted_import_is_400: An import without upload is unknown (T23).
        processing_shows_counts: A running import shows its final counts and a completion
            time, as the printed sample does (T45).
        upload_lifetime_s: Seconds for which a presigned URL accepts an upload (T22).
        upload_reuse: Answer for a second PUT to one URL: ``"same"`` accepts identical bytes and
            ignores them, ``"any"`` imports any bytes again, ``"refused"`` refuses all (T22).
        download_lifetime_s: Seconds for which a presigned link can be fetched (T118).
        verified_senders: The only addresses, or domains (``@example.com``), that may send;
            None for all except ``unverified@…`` (T80).
        denied_domains: Domains that may not send (T80).
        invalid_content_marker: Text in the HTML that makes it invalid, 40014 (T85).
        ga_strings_only: ``ga`` flags must be text (T76).
        refuse_nested_content: ``config.content`` is refused (T95).
        free_plan: The account may send 50 mails a day (T27).
        submit_shape: An accepted submit is answered with ``{"sn": …}``, with
            ``{"campaignSn": …}``, or with ``{"data": {"sn": …}}`` (T64).
        send_base_s: Seconds that sending takes in addition to the time for its mails.
        mails_per_s: Mails that are sent per second.
        campaigns_shape: Sent campaigns come as ``"array"``, as one ``"object"``, or in a
            ``"wrapper"`` (T101).
        sent_begin_field: Field with the time at which the sending of a campaign began (T109).
        bad_dates_are_40020: Malformed or reversed dates are refused (T104).
        unfinished_is_40303: A campaign that is not complete has no report (T04).
        export_returns_sn: An export is answered with ``export_sn`` (T110).
        export_per_campaign_s: Seconds after an export in which another one of the same campaign
            has no effect (T111).
        export_every_s: Seconds after an export in which an export of any campaign is refused as
            too many requests; None for no such limit (T111).
        export_repeat_is_40303: An export that would have no effect is refused (T111).
        report_delay_s: Seconds that an export takes (T112).
        report_stagger_s: Seconds between the files of two types of one export.
        report_encoding: Encoding of the report files, by Python's name, with a byte order mark if
            it has one. ``?`` replaces any character that it cannot encode (T119).
        links_before_report: Answer for the links while no file is ready: ``"empty"``, no links;
            ``"null"``; ``"refused"``, 403 with 40303; or ``"400"`` or ``"404"`` without content
            (T04, T117).
        reports_as_array: Links come as a plain array (T114).
        links_shape: Links come as ``"documented"``; only the first of them, as one ``"object"``;
            or only its URL, as ``"text"`` under ``link``. A plain array has all (T114).
        odd_links: Links begin with a colon and end in ``.cs`` (T115).
        webhook_copies: How often each webhook is delivered; 0 loses it (T121).
        later_endpoints: The eleven endpoints that only the vendor's notes have exist (T18).
        unknown_campaign: Answer for the status and the pause of an unknown campaign: ``"40007"``,
            a 400 with that code, or ``"404"`` without content (T124).
        status_form: ``sendTimeType`` and ``type`` of a status are ``"text"`` or ``"numbers"``
            (T125).
        metrics_shape: Metrics come as an ``"array"``, or in a ``"wrapper"`` (T131).
        unknown_metrics: For an unknown campaign, the metrics have no row (``"left_out"``), or the
            request is refused with ``"400"`` and 40007 (T131).
        delete_forgets_one: The last campaign of a deletion is missing from all three lists of
            the answer (T128).
        second_once_upload: Effect of a second upload for a campaign without lists: it
            ``"sends_again"``, is ``"ignored"``, or is ``"refused"`` (T123).
        numeric_template_ids: The id of a template is a number (T132).
        removal_from: Contacts are removed from the ``"list"``, or from the ``"account"``, together
            with their exclusion (T63).
        open_share: Share of the delivered mails that are opened.
        open_share_b: The same for variant B of an A/B test; None for the same share.
        click_share: Share of the opened mails that are clicked.
        bounce_share: Share of the mails that bounce.
        unsubscribe_share: Share of the opened mails after which the reader unsubscribes.
        complain_share: Share of the opened mails after which the reader complains.
        open_delay_s: Mean time from delivery to the first opening.
    """

    requests_per_s: int | None = 10
    requests_per_day: int | None = 10_000
    limit_status: int = 429
    second_limit_message: str = "Limit Exceeded"
    day_limit_message: str = "Limit Exceeded"
    schedule_may_be_short: bool = False
    strict: bool = True
    vendor_limits: bool = False
    code_field: Literal["code", "errorCode"] = "code"
    codes_as_integers: bool = False
    invalid_fields_as_text: bool = False
    date_form: Literal[
        "documented",
        "offset",
        "compact_offset",
        "no_zone",
        "blank",
        "seconds",
        "millis",
        "empty",
        "null",
    ] = "documented"
    count_form: Literal["documented", "number", "text", "grouped", "blank"] = "documented"
    numeric_codes: bool = False
    lists_as_array: bool = False
    lists_wrapper: str | None = None
    counts_as_numbers: bool = False
    default_page_size: int = 20
    most_lists_on_page: int | None = None
    first_page: int = 0
    page_before_first: Literal["first", "empty", "refused"] = "first"
    list_delay_s: float = 0.0
    missing_accept_is_500: bool = False
    text_import_max_bytes: int = 10_000_000
    text_import_too_large_code: int = 40010
    bom_spoils_header: bool = False
    file_max_bytes: int | None = None
    predefined_columns: tuple[str, ...] | None = None
    reserved_columns_are_errors: bool = False
    import_base_s: float = 8.0
    import_rows_per_s: float = 5_000.0
    import_kept_days: float = 30.0
    import_unknown_s: float = 0.0
    unknown_import: Literal["400", "404", "40007"] = "400"
    unstarted_import_is_400: bool = False
    processing_shows_counts: bool = False
    upload_lifetime_s: float = 900.0
    upload_reuse: Literal["same", "any", "refused"] = "same"
    download_lifetime_s: float = 3_600.0
    verified_senders: tuple[str, ...] | None = None
    denied_domains: tuple[str, ...] = ("denied.example",)
    invalid_content_marker: str = "<!-- 40014 -->"
    ga_strings_only: bool = False
    refuse_nested_content: bool = False
    free_plan: bool = False
    submit_shape: Literal["sn", "campaignSn", "data"] = "sn"
    send_base_s: float = 2.0
    mails_per_s: float = 10_000.0
    campaigns_shape: Literal["array", "object", "wrapper"] = "array"
    sent_begin_field: Literal["sentBeginDate", "sentStartAt"] = "sentBeginDate"
    bad_dates_are_40020: bool = False
    unfinished_is_40303: bool = False
    export_returns_sn: bool = False
    export_per_campaign_s: float = 3_600.0
    export_every_s: float | None = None
    export_repeat_is_40303: bool = False
    report_delay_s: float = 15.0
    report_stagger_s: float = 0.0
    report_encoding: str = "utf-8"
    links_before_report: Literal["empty", "null", "refused", "400", "404"] = "empty"
    reports_as_array: bool = False
    links_shape: Literal["documented", "object", "text"] = "documented"
    odd_links: bool = False
    webhook_copies: int = 1
    later_endpoints: bool = False
    unknown_campaign: Literal["40007", "404"] = "40007"
    status_form: Literal["text", "numbers"] = "text"
    metrics_shape: Literal["array", "wrapper"] = "array"
    unknown_metrics: Literal["left_out", "400"] = "left_out"
    delete_forgets_one: bool = False
    second_once_upload: Literal["sends_again", "ignored", "refused"] = "sends_again"
    numeric_template_ids: bool = False
    removal_from: Literal["list", "account"] = "list"
    open_share: float = 0.35
    open_share_b: float | None = None
    click_share: float = 0.2
    bounce_share: float = 0.02
    unsubscribe_share: float = 0.01
    complain_share: float = 0.002
    open_delay_s: float = 7_200.0

    def __attrs_post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: a switch cannot have its value; the text has its name and the way out.
        """
        for name, words in WORDS.items():
            value = getattr(self, name)
            if value not in words:
                raise ValueError(f"{name}: must be one of {', '.join(words)}, not {value!r}")
        for name in ABOVE_ZERO:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name}: {value!r} is not above 0")
        for name in SHARES:
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name}: {value!r} is not a share from 0 to 1")
        try:
            codecs.lookup(self.report_encoding)
        except LookupError:
            raise ValueError(
                f"report_encoding: Python has no encoding {self.report_encoding!r}; "
                "use a name such as utf-8 or big5"
            ) from None


ABOVE_ZERO: Final = ("import_rows_per_s", "mails_per_s", "default_page_size", "most_lists_on_page")
"""The switches that are divisors, and the sizes of a page, which cannot be empty."""

SHARES: Final = tuple(name for name in get_type_hints(Switches) if "_share" in name)
"""The switches that are a share from 0 to 1."""

WORDS: Final[dict[str, tuple[Any, ...]]] = {
    name: get_args(kind)
    for name, kind in get_type_hints(Switches).items()
    if get_origin(kind) is Literal
}
"""The switches with a fixed set of words, and the words."""

PROFILES: dict[Profile, Switches] = {
    "documented": Switches(),
    "vendor-2026": Switches(
        requests_per_s=2,
        requests_per_day=300_000,
        second_limit_message="too many requests",
        schedule_may_be_short=True,
        vendor_limits=True,
        count_form="number",
        file_max_bytes=10_000_000,
        reserved_columns_are_errors=True,
        sent_begin_field="sentStartAt",
        export_returns_sn=True,
        export_per_campaign_s=10.0,
        export_every_s=10.0,
        later_endpoints=True,
    ),
}
"""The switches that each profile sets.

``vendor-2026`` has the eleven later endpoints, and follows the vendor's notes on the twelve. If
the notes can be read in two ways, it follows the stricter one. ``docs/emulator-reference.md``
lists its switches, and the points that it does not change.
"""


class SwitchBoard:
    """The current switches, which all parts of the emulator read.

    Attributes:
        on: The switches.
        profile: The profile that the emulator was created with.
    """

    def __init__(self, switches: Switches, profile: Profile = "documented") -> None:
        self.on = switches
        self.profile: Profile = profile
