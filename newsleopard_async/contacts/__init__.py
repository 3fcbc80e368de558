"""Contacts from anywhere, judged, and made into one clean CSV file; no message shows a contact.

The way through the folder is that of the bytes: `sources` says where they come from, `csv` finds
out how to read them and makes rows of them, `rules` judges the rows and writes them again, and
`preparation` leads them all the way.
"""
