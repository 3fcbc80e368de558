"""Profiles: the accounts that commands can use, and where their keys are."""
