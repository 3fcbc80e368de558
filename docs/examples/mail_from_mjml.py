"""Make a mail from an MJML template, check it, and write it to anniversary.html.

python mail_from_mjml.py
"""

import sys
from pathlib import Path
from typing import Any

import css_inline
import mrml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from newsleopard_async import Campaign, Sender, check_campaign

TEMPLATES = Environment(loader=FileSystemLoader("."), autoescape=True, undefined=StrictUndefined)
INLINER = css_inline.CSSInliner(
    keep_style_tags=True,  # the rules for phones, @media, cannot be inlined
    load_remote_stylesheets=False,  # MJML links a font, which is not for inlining
)
COLUMNS = ("EMAIL", "NAME", "STORE")
"""The columns of the contacts: what a placeholder may be."""


def mail_of(template: str, values: dict[str, Any]) -> str:
    """Return the HTML of a mail; the placeholders of the platform stay as they are."""
    mjml = TEMPLATES.get_template(template).render(values)
    output = mrml.to_html(mjml)
    for warning in output.warnings:
        print(warning, file=sys.stderr)
    return INLINER.inline(output.content)


def main() -> int:
    """Return the exit status: 1 if the mail has an error or a warning."""
    values = {
        "title": "週年慶優惠",
        "until": "1 月 5 日",
        "source": "電子報 1",
        "products": [{"name": "杯子 & 盤子", "price": 100}, {"name": "茶壺", "price": 880}],
    }
    campaign = Campaign(
        name="週年慶",
        subject="${NAME}，您的專屬優惠",
        sender=Sender("電子豹", "service@example.com"),
        html=mail_of("anniversary.mjml", values),
    )
    report = check_campaign(campaign, columns=COLUMNS)
    print(report)
    Path("anniversary.html").write_text(campaign.html, encoding="utf-8")
    return 1 if report.errors or report.warnings else 0


if __name__ == "__main__":
    sys.exit(main())
