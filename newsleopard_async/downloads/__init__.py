"""What the platform gives back in files: read, whatever their form, and counted."""
