"""Campaigns and A/B tests, judged before anything is sent; pure, and without a clock.

A rule is a small function from its `CheckContext` to what it has found; `rules.RULES`
lists them all, each with its name, its one level and what the documentation says of it.
"""
