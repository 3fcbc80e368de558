"""The documented endpoints: one request in, one model out."""
