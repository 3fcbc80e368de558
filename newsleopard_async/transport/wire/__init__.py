"""The wire: the one place that knows the platform's names, shapes and formats.

Pure functions between parsed JSON and models. Reading is tolerant exactly where the
documentation contradicts itself (the numbers beside the rules are those of docs/platform.md),
and everywhere else raises `values.WireError`, whose text shows where and never what.
"""
