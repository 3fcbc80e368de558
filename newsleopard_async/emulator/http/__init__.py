"""The HTTP side of the emulator: the endpoints, the gateway's checks, and the effect of faults."""
