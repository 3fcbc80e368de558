"""What people and other processes open: the page at ``/``, and the control API beneath it."""
