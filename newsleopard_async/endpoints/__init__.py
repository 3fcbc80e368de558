"""The documented endpoints: each method sends one request and returns one model."""
