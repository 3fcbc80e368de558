"""The limits of a key: who may go, who waits, and what is used up."""
