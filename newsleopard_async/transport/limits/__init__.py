"""The rate limits of a key: which requests wait, and when each one can be sent."""
