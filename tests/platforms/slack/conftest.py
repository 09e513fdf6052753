"""The Slack to test against, and the bot in it, for the tests of this folder."""

from tests.platforms.slack.fixtures import slack, slack_mode, slack_peer, slack_rules
from tests.platforms.slack.running import assistant, bot, options

__all__ = ["assistant", "bot", "options", "slack", "slack_mode", "slack_peer", "slack_rules"]
