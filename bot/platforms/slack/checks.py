"""Whether Slack lets the bot do what it is set up for; each failure says what to do."""

import re
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.checks import Check
from bot.errors import DeliveryError
from bot.platforms.slack.access import Access, open_client
from bot.platforms.slack.calls import CallError, Calls, TokenError
from bot.platforms.slack.manifest import bot_scopes
from bot.platforms.slack.sockets import app_token_advice
from bot.platforms.slack.workspace import Options

# Slack opens so many connections to one app (slackapi/node-slack-sdk#1654).
MAX_SOCKETS = 10
PATIENCE_SECONDS = 10.0
APPS = "https://api.slack.com/apps"
SECRET = re.compile(r"[0-9a-f]{32}")
COPY_AGAIN = (
    "Copy the Bot User OAuth Token from your Slack app's page OAuth & Permissions into "
    "SLACK_BOT_TOKEN in .env."
)
AWAY = "Look whether this machine reaches https://slack.com, then try again."


async def check_slack(access: Access, options: Options) -> list[Check]:
    """All checks of Slack; without a bot token that works, only those that need none."""
    async with open_client(access) as client:
        calls = Calls(client, PATIENCE_SECONDS)
        token, scopes = await _bot_token(client)
        checks = [token, await _way(calls, access)]
        if token.is_ok:
            checks += [_scopes(scopes), _events()]
            checks += await _channels(calls, options)
            checks += await _group(calls, options)
            checks += await _admins(calls, options)
    return checks


async def _bot_token(client: AsyncWebClient) -> tuple[Check, frozenset[str] | None]:
    """Whether Slack takes the bot's token, and what it allows, None where Slack does not say."""
    name = "Slack bot token"
    try:
        response = await client.auth_test()
    except SlackApiError as error:
        code = str(error.response.get("error") or error.response.status_code)
        return Check(name, False, f"refused by Slack: {code}", COPY_AGAIN), None
    except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
        return Check(name, False, f"Slack cannot be reached: {type(error).__name__}", AWAY), None
    if not response.get("bot_id"):
        return Check(name, False, "of a person, not of a bot", COPY_AGAIN), None
    headers = {key.lower(): value for key, value in response.headers.items()}
    granted = headers.get("x-oauth-scopes")
    scopes = frozenset(re.split(r"[,\s]+", granted.strip())) if granted else None
    return Check(name, True, f"@{response.get('user')} in {response.get('team')}"), scopes


async def _way(calls: Calls, access: Access) -> Check:
    """Whether deliveries can come: by Socket Mode, or signed to a port."""
    if access.port is not None:
        is_whole = SECRET.fullmatch(access.signing_secret or "") is not None
        return Check(
            "Slack signing secret",
            is_whole,
            f"present; events come to port {access.port}" if is_whole else "not 32 hex digits",
            ""
            if is_whole
            else "Copy the Signing Secret from your Slack app's page Basic "
            "Information into SLACK_SIGNING_SECRET in .env.",
        )
    assert access.app_token
    name = "Slack app token"
    try:
        await calls("apps.connections.open", app_token=access.app_token)
    except (TokenError, CallError) as error:
        return Check(name, False, "refused by Slack", app_token_advice(error))
    except DeliveryError:
        return Check(name, False, "Slack cannot be reached", AWAY)
    processes = MAX_SOCKETS // access.sockets
    return Check(
        name,
        True,
        f"Socket Mode, {access.sockets} connections a process; Slack allows {MAX_SOCKETS}, "
        f"so at most {processes} processes",
    )


def _scopes(granted: frozenset[str] | None) -> Check:
    name = "Slack scopes"
    if granted is None:
        return Check(name, True, "not told by Slack")
    missing = sorted(bot_scopes() - granted)
    if not missing:
        return Check(name, True, f"all {len(bot_scopes())}")
    return Check(
        name,
        False,
        f"missing: {', '.join(missing)}",
        f"Add them on your Slack app's page OAuth & Permissions ({APPS}), then press Reinstall to "
        "Workspace there. Or paste what `supportbot slack-manifest` prints into its page App "
        "Manifest.",
    )


def _events() -> Check:
    return Check(
        "Slack events and agent view",
        True,
        "not told by Slack",
        "If the bot hears nothing, compare your Slack app's page App Manifest with what "
        "`supportbot slack-manifest` prints.",
    )


async def _channels(calls: Calls, options: Options) -> list[Check]:
    """Whether the channels of the settings are there and the bot is in them."""
    named = [(channel, f"{mode}_in") for channel, mode in options.modes.items()]
    named += [(options.handoff_channel or "", "handoff_channel")]
    named += [(options.admin_channel or "", "admin_channel")]
    return [await _channel(calls, channel, key) for channel, key in named if channel]


async def _channel(calls: Calls, channel: str, key: str) -> Check:
    name = f"Slack channel {channel} (`{key}`)"
    try:
        found = (await calls("conversations.info", channel=channel))["channel"]
    except CallError as error:
        return Check(
            name, False, _word(error.code),
            f"Correct `{key}` below [slack] in supportbot.toml; a channel's id is at the end of "
            "its details. If the channel is private, invite the bot to it with /invite.",
        )  # fmt: skip
    except DeliveryError as error:
        return Check(name, False, str(error), AWAY)
    title = f"#{found.get('name', '?')}"
    if found.get("is_archived"):
        return Check(name, False, f"{title} is archived", f"Unarchive it, or set another `{key}`.")
    if not found.get("is_member"):
        return Check(
            name, False, f"the bot is not in {title}", f"Write /invite @supportbot in {title}."
        )
    return Check(name, True, title)


async def _group(calls: Calls, options: Options) -> list[Check]:
    """Whether the user group that is told of hand-overs is there."""
    if options.handoff_group is None:
        return []
    name = f"Slack user group {options.handoff_group} (`handoff_group`)"
    if options.handoff_channel is None:
        return [Check(name, False, "of no use alone", "Set `handoff_channel` below [slack] too.")]
    try:
        groups = (await calls("usergroups.list", include_disabled=False))["usergroups"]
    except CallError as error:
        return [Check(name, False, _word(error.code), "Mend what is wrong with the scopes above.")]
    except DeliveryError as error:
        return [Check(name, False, str(error), AWAY)]
    found = next((group for group in groups if group["id"] == options.handoff_group), None)
    if found is None:
        advice = "Correct `handoff_group` below [slack], or enable the group in Slack."
        return [Check(name, False, "not a group of this workspace", advice)]
    return [Check(name, True, f"@{found.get('handle')}")]


async def _admins(calls: Calls, options: Options) -> list[Check]:
    if not options.admins and not options.has_workspace_admins:
        advice = (
            "To reindex and retrain from Slack, write your member id into `admins` below [slack] "
            "in supportbot.toml; it is in your profile, under the three dots."
        )
        return [Check("Slack admins", True, "nobody may give commands", advice)]
    checks = [await _admin(calls, admin) for admin in sorted(options.admins)]
    if options.has_workspace_admins:
        checks.append(Check("Slack admins", True, "also those of the workspace"))
    return checks


async def _admin(calls: Calls, admin: str) -> Check:
    name = f"Slack admin {admin}"
    advice = "Correct `admins` below [slack] in supportbot.toml."
    try:
        user: dict[str, Any] = (await calls("users.info", user=admin))["user"]
    except CallError as error:
        return Check(name, False, _word(error.code), advice)
    except DeliveryError as error:
        return Check(name, False, str(error), AWAY)
    reasons = {"deleted": "deactivated", "is_bot": "a bot", "is_restricted": "a guest"}
    for key, what in reasons.items():
        if user.get(key):
            return Check(name, False, f"is {what}", advice)
    profile = user.get("profile") or {}
    return Check(name, True, str(profile.get("real_name") or user.get("name") or "found"))


def _word(code: str) -> str:
    """Slack's word for a refusal, in ours."""
    words = {
        "channel_not_found": "not found, or private and the bot is not in it",
        "missing_scope": "not shown to the bot, as a scope is missing",
        "user_not_found": "not a member of this workspace",
        "user_not_visible": "not visible to the bot",
    }
    return words.get(code, f"refused by Slack: {code}")
