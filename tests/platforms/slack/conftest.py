"""The Slack to test against, for the tests of this folder."""

from tests.platforms.slack.fixtures import slack, slack_mode, slack_peer, slack_rules

__all__ = ["slack", "slack_mode", "slack_peer", "slack_rules"]
