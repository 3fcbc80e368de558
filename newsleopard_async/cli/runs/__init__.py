"""Runs in a store, decisions about them, and the worker that processes durable sends."""
