"""What NewsLeopard keeps and does: account, contacts, campaigns, readers, reports and files."""
