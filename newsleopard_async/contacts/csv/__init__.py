"""The CSV itself: how it is encoded, its rows, and the CSV that goes out."""
