"""The wire: the only place that contains the platform's names, shapes and formats.

Pure functions between parsed JSON and models. Reading is tolerant exactly where the documentation
contradicts itself (the numbers beside the rules are those of docs/platform.md). Everywhere else it
raises `values.WireError`, whose text contains the path of a value and never the value.
"""
