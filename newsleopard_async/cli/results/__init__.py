"""What an account contains: lists, the state of a campaign, its report and its numbers."""
