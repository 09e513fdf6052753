"""Slack as a platform: its events become questions, answers become Block Kit."""
