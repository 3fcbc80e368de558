"""How a terminal shows things: text, tables, times, steps, help, warnings."""
