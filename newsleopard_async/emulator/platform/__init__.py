"""The platform's state and behaviour: account, contacts, campaigns, readers, reports, files."""
