"""Every rule for a campaign, in the order in which its findings are reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import attrs

from newsleopard_async.checks import (
    ab_tests,
    document,
    foreign_placeholders,
    links,
    mail_fields,
    placeholders,
    schedule,
    scripts,
    visible_text,
)
from newsleopard_async.checks.context import CheckContext, FindingDetails
from newsleopard_async.models.findings import Finding, Level, RuleInfo

__all__ = ["CAMPAIGN_RULES", "RULES", "Rule"]


@attrs.frozen
class Rule:
    """A rule: name, level and text in the documentation, and the function that yields findings."""

    name: str
    level: Level
    says: str
    find: Callable[[CheckContext], Iterator[FindingDetails]]

    @property
    def info(self) -> RuleInfo:
        """The row of the rule in the documentation's table."""
        return RuleInfo(self.name, self.level, self.says)

    def findings(self, context: CheckContext) -> Iterator[Finding]:
        """Yield the findings of the rule."""
        for found in self.find(context):
            yield Finding(
                level=self.level,
                rule=self.name,
                message=found.message,
                field=found.field,
                line=found.lines[0] if found.lines else None,
                count=found.count,
                places=found.lines,
            )


RULES: Final = (
    Rule("no-recipients", "error", "the lists have no subscribers", ab_tests.find_no_recipients),
    Rule("future", "error", "the time of sending is not in the future", schedule.find_past_time),
    Rule(
        "unknown-placeholder",
        "error",
        "a `${…}` that no column of the contacts fills; similar names are suggested",
        placeholders.find_unknown,
    ),
    Rule(
        "full-width-placeholder",
        "error",
        "a `＄｛…｝`, which is not replaced",
        placeholders.find_full_width,
    ),
    Rule(
        "test-too-small",
        "error",
        "the share of an A/B test is so small that one half has no recipients",
        ab_tests.find_too_small_test,
    ),
    Rule(
        "placeholder-case",
        "warning",
        "a `${…}` that differs from its column in case or surrounding spaces",
        placeholders.find_of_other_case,
    ),
    Rule(
        "malformed-placeholder",
        "warning",
        "a `${` without a name or a closing brace, or with a tag or line break inside, or between "
        "`$` and `{`",
        placeholders.find_malformed,
    ),
    Rule(
        "encoded-placeholder",
        "warning",
        "a placeholder in percent-encoding or character references, `%24%7BNAME%7D`, `&#36;{NAME}`",
        placeholders.find_encoded,
    ),
    Rule(
        "foreign-placeholder",
        "warning",
        r"another product's syntax, in a URL also percent-encoded: `{{…}}`, `{%…%}`, `<%…%>`, "
        r"`%…%`, `%%…%%`, `*\|…\|*`, `[[…]]`, `{!…}`, `{$…}`, `$[…]$`; around a column's name, "
        "also `{…}`, `$…$`, `##…##`, `@@…@@`, and `[…]`, `【…】`, `«…»`, `<<…>>`, `-…-` unless it "
        "is a label",
        foreign_placeholders.find_foreign,
    ),
    Rule(
        "placeholder-in-sender",
        "warning",
        "a `${…}` in a sender's name",
        placeholders.find_in_sender,
    ),
    Rule(
        "placeholder-in-ga",
        "warning",
        "a `${…}` in a Google Analytics value",
        placeholders.find_in_ga,
    ),
    Rule(
        "unseen-text",
        "warning",
        "a subject, preheader, name or Google Analytics value that has only invisible characters",
        visible_text.find_unseen,
    ),
    Rule(
        "lost-character",
        "warning",
        "a character that a conversion lost: �, a private-use character, or `????` at the "
        "beginning",
        visible_text.find_lost,
    ),
    Rule(
        "double-decoding",
        "warning",
        "text that was decoded with the wrong encoding",
        visible_text.find_misread,
    ),
    Rule(
        "character-reference",
        "warning",
        "`&amp;` or a similar reference in a subject, preheader, name or Google Analytics value; "
        "`&amp;amp;` in the HTML and its links, except in `<code>` and `<pre>`",
        visible_text.find_references,
    ),
    Rule(
        "markup",
        "warning",
        "a tag of HTML in a subject, preheader, name or Google Analytics value",
        visible_text.find_markup,
    ),
    Rule(
        "subject-length", "warning", "a subject over 150 characters", mail_fields.find_long_subject
    ),
    Rule(
        "preheader-length",
        "warning",
        "a preheader over 60 characters",
        mail_fields.find_long_preheader,
    ),
    Rule(
        "sender-name-length",
        "warning",
        "a sender's name over 50 characters",
        mail_fields.find_long_sender,
    ),
    Rule("short-lead", "warning", "less than 10 minutes until the send", schedule.find_short_lead),
    Rule("far-future", "warning", "more than a year until the send", schedule.find_far_time),
    Rule(
        "ambiguous-time",
        "warning",
        "a local time that occurs twice because the clocks are set back",
        schedule.find_ambiguous_time,
    ),
    Rule(
        "ga-value",
        "warning",
        "a Google Analytics value with spaces, invisible characters, or one of `&?#`",
        mail_fields.find_awkward_values,
    ),
    Rule(
        "ga-without-links",
        "warning",
        "Google Analytics is on, but the HTML has no link to tag",
        mail_fields.find_no_links,
    ),
    Rule(
        "ga-tagged-links",
        "warning",
        "Google Analytics is on, but links already have `utm_` parameters",
        mail_fields.find_tagged_links,
    ),
    Rule(
        "same-variants",
        "warning",
        "A and B differ only in white space, case, invisible characters or Unicode form",
        ab_tests.find_same,
    ),
    Rule(
        "lone-preheader",
        "warning",
        "a preheader in only one half of a test of the subject",
        ab_tests.find_lone_preheader,
    ),
    Rule("html-fragment", "warning", "HTML without `<html>` or `<body>`", document.find_fragment),
    Rule(
        "unclosed-html",
        "warning",
        "a tag, comment, or element such as `<style>` or `<title>` that is never closed",
        document.find_unclosed,
    ),
    Rule(
        "broken-tag",
        "warning",
        "a tag with a quote or `>` that is missing, doubled or curly; it hides the text after it",
        document.find_broken_tags,
    ),
    Rule("no-text", "warning", "no visible text", document.find_no_text),
    Rule("clipped", "warning", "HTML over 102 KB, which Gmail cuts off", document.find_clipped),
    Rule(
        "other-charset",
        "warning",
        "a `<meta>` with another character set than UTF-8",
        document.find_other_charset,
    ),
    Rule("missing-alt", "warning", "an image without `alt`", document.find_no_alt),
    Rule("missing-src", "warning", "an image without an address", document.find_no_source),
    Rule("script", "warning", "a `<script>`", scripts.find_scripts),
    Rule("event-handler", "warning", "a script in an attribute, `on…=`", scripts.find_handlers),
    Rule("script-link", "warning", "a `javascript:` link", scripts.find_script_links),
    Rule("form", "warning", "a form or a form field", scripts.find_forms),
    Rule(
        "embedded-content",
        "warning",
        "`<iframe>`, `<object>`, `<embed>`, `<video>`, `<audio>`",
        scripts.find_embedded,
    ),
    Rule(
        "external-style",
        "warning",
        "a linked style sheet, except from a font host",
        scripts.find_style_links,
    ),
    Rule("data-image", "warning", "an image as a `data:` URL", scripts.find_data_images),
    Rule(
        "relative-link",
        "warning",
        "a relative or protocol-relative link or image path",
        links.find_relative,
    ),
    Rule(
        "local-link",
        "warning",
        "a link or image on the author's machine or network (`file:`, `C:\\`, `localhost`, `cid:`)",
        links.find_local,
    ),
    Rule(
        "bad-link",
        "warning",
        "a link or image path that is not a URL, or that has blanks, full-width punctuation or "
        "invisible characters in it",
        links.find_bad,
    ),
    Rule(
        "empty-link",
        "warning",
        "a link that is empty, or only `#`, `mailto:` or `tel:`",
        links.find_empty,
    ),
    Rule(
        "reserved-placeholder",
        "note",
        "a `${…}` with a name that the platform reserves and the contacts do not have",
        placeholders.find_of_platform,
    ),
    Rule(
        "placeholder-in-url",
        "note",
        "a `${…}` inside a URL; its value possibly needs encoding",
        placeholders.find_in_url,
    ),
    Rule(
        "placeholder-in-preheader",
        "note",
        "a `${…}` in a preheader, where it is possibly not replaced",
        placeholders.find_in_preheader,
    ),
    Rule(
        "send-time", "note", "the time of sending, in local time and UTC", schedule.find_send_time
    ),
    Rule(
        "main-send-time",
        "note",
        "the time of the main send of an A/B test",
        schedule.find_main_send,
    ),
    Rule(
        "small-test",
        "note",
        "fewer than 100 recipients in each half of an A/B test",
        ab_tests.find_small_test,
    ),
    Rule(
        "same-text",
        "note",
        "A and B have the same text, but other images, links or layout",
        ab_tests.find_same_text,
    ),
    Rule(
        "missing-charset",
        "note",
        "text outside ASCII, but no `<meta charset>`",
        document.find_no_charset,
    ),
    Rule(
        "missing-anchor",
        "note",
        "a `#…` link to a place that is not in the mail",
        links.find_missing_anchors,
    ),
    Rule(
        "own-unsubscribe",
        "note",
        "an unsubscribe link or footer in addition to the platform's",
        document.find_own_unsubscribe,
    ),
)
"""The errors first, then the warnings, then the notes."""

CAMPAIGN_RULES: Final = tuple(rule.info for rule in RULES)
"""The rules as the documentation prints them."""
