"""``newsleopard doctor``: tries the set-up part by part, and says what to do."""
