"""The Slack app's manifest: what the app may do and hear, as Slack wants it pasted."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from bot.errors import SettingsError
from bot.platforms.slack.http import PATH

FILE = Path(__file__).with_name("slack-manifest.yaml")
# The app's token, which opens Socket Mode, is made by hand with this scope.
APP_SCOPE = "connections:write"


def read_manifest() -> dict[str, Any]:
    """The manifest for Socket Mode, as plain values."""
    manifest: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    return manifest


def bot_scopes() -> frozenset[str]:
    """What the bot's token must allow."""
    return frozenset(read_manifest()["oauth_config"]["scopes"]["bot"])


def write_manifest(address: str | None = None) -> str:
    """The manifest as YAML: for Socket Mode, or for signed events posted to `address`.

    `address` is where the bot is reached from the internet, such as https://bot.example.com.

    Raises:
        SettingsError: the address is none that Slack posts to.
    """
    if address is None:
        return FILE.read_text("utf-8")
    if not address.startswith("https://") or not urlsplit(address).hostname:
        raise SettingsError(
            f"{address} is not an address that Slack posts to. Write one that begins with "
            "https://, such as https://bot.example.com"
        )
    url = address.rstrip("/").removesuffix(PATH) + PATH
    manifest = read_manifest()
    settings = manifest["settings"]
    settings["socket_mode_enabled"] = False
    settings["event_subscriptions"] = {"request_url": url} | settings["event_subscriptions"]
    settings["interactivity"]["request_url"] = url
    for command in manifest["features"]["slash_commands"]:
        command["url"] = url
    return yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=100)
