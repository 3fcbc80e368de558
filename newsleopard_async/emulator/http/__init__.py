"""How it is reached: the twelve operations over HTTP, and what may go wrong on the way."""
