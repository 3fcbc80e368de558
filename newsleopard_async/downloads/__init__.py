"""The files that the platform provides, read in any format and counted."""
