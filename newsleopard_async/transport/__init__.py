"""One request's way to the platform and back: retry, limit, send, decode."""
