"""Sends on the command line: the campaign, what would be sent, the question, the send, its end."""
