"""The commands of ``newsleopard``, one module for each subject, loaded when they are used."""
