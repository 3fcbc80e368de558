"""Contacts from any source, checked and written as one clean CSV file; no message shows a contact.

`preparation` is the whole way: it opens a source (`sources`), detects its encoding and reads its
rows (`csv`), checks the rows and writes them again (`rules`).
"""
