"""Sends that are kept in a database, and carried by workers: scheduled, held, over a deploy."""
