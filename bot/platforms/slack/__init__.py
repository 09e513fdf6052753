"""Slack as a platform; only what lies here knows its SDK."""
