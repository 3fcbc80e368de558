"""The control API below ``/_emulator/``: one table of endpoints, by subject, and its routes."""
