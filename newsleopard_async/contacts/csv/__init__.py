"""CSV: detecting the encoding, reading the rows, and writing the clean CSV."""
