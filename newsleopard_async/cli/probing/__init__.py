"""``newsleopard probe``: asks a real account a few questions, and shows the shapes of answers."""
