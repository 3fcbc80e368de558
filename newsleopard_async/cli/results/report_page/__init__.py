"""The page of ``newsleopard report --html``: one file without network, scripts or contacts.

- `activity` counts the opens, clicks and links of the report files.
- `charts` computes the geometry of the charts.
- `report_html` fills the template, in the user's language.
"""
