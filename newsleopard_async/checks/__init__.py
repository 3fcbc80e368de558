"""What is judged before anything is sent: pure functions from values to problems."""
