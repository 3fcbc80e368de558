"""The emulator as a server, its options, and the demonstration."""
