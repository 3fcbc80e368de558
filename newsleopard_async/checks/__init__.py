"""The checks of campaigns and A/B tests before anything is sent; pure, and without a clock.

A rule is a small function that gets a `CheckContext` and yields its findings. `rules.RULES` lists
all rules, each with its name, its level and its text in the documentation.
"""
