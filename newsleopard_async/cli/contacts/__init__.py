"""Contacts on the command line: which file or pipe, how to read it, the check, the import."""
