"""The manifest asks for exactly what the code uses, and for nothing else."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

import bot.platforms.slack
from bot.errors import SettingsError
from bot.platforms.slack.manifest import bot_scopes, read_manifest, write_manifest
from bot.platforms.slack.service import HANDLERS
from bot.platforms.slack.workspace import Identity, Options, Workspace

PACKAGE = Path(bot.platforms.slack.__path__[0])
# The kinds of conversations that messages are heard in.
CHANNEL, PRIVATE, DIRECT = "channels", "groups", "im"
HISTORY = {f"{kind}:history" for kind in (CHANNEL, PRIVATE, DIRECT)}
READ = {f"{kind}:read" for kind in (CHANNEL, PRIVATE, DIRECT)}
# What Slack's reference page of each method, docs.slack.dev/reference/methods/…, lists for bots.
SCOPES_OF_METHODS: dict[str, set[str]] = {
    "agents.sessions.rename": {"chat:write"},
    "agents.sessions.setStatus": {"chat:write"},
    "apps.connections.open": set(),  # of the app's own token
    "assistant.threads.setStatus": {"chat:write"},
    "assistant.threads.setSuggestedPrompts": {"assistant:write"},
    "assistant.threads.setTitle": {"assistant:write"},
    "auth.test": set(),
    "chat.appendStream": {"chat:write"},
    "chat.delete": {"chat:write"},
    "chat.getPermalink": set(),
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.startStream": {"chat:write"},
    "chat.stopStream": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.history": HISTORY,
    "conversations.info": {"channels:read", "groups:read"},  # of channels in the settings
    "conversations.open": {"im:write"},
    "conversations.replies": HISTORY,
    "files.completeUploadExternal": {"files:write"},
    "files.getUploadURLExternal": {"files:write"},
    "files.upload.v2": {"files:write"},
    "reactions.add": {"reactions:write"},
    "usergroups.list": {"usergroups:read"},
    "users.conversations": READ,
    "users.info": {"users:read"},
    "views.open": set(),
    "views.publish": set(),
    "views.push": set(),
    "views.update": set(),
}
# The same of events, docs.slack.dev/reference/events/….
SCOPES_OF_EVENTS: dict[str, set[str]] = {
    "agent_session_stopped": set(),
    "app_home_opened": set(),
    "app_mention": {"app_mentions:read"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "reaction_added": {"reactions:read"},
    "reaction_removed": {"reactions:read"},
}
MESSAGES = {"app_mention", "message.channels", "message.groups", "message.im"}


class Registrations:
    """An app that notes what handlers are registered for."""

    def __init__(self) -> None:
        self.found: dict[str, set[str]] = {}

    def __getattr__(self, kind: str) -> Callable[..., Callable[[Any], Any]]:
        def register(what: Any = None, *_: Any, **__: Any) -> Callable[[Any], Any]:
            self.found.setdefault(kind, set()).add(_name(what))
            return lambda handler: handler

        return register


def _name(what: Any) -> str:
    if isinstance(what, dict):
        what = what.get("type") or what.get("callback_id")
    return what.pattern if isinstance(what, re.Pattern) else str(what)


@pytest.fixture
def registered() -> dict[str, set[str]]:
    """What the handlers are registered for, by kind."""
    identity = Identity("T01", "Test", "U0BOT", "B0BOT", "supportbot", "https://test.slack.com/")
    nothing = cast("Any", None)
    workspace = Workspace(identity, nothing, nothing, nothing, Options(), {})
    app = Registrations()
    for register in HANDLERS:
        register(cast("Any", app), workspace, nothing)
    return app.found


def used_methods() -> set[str]:
    """The Web API methods that the package names, as literals or as methods of a client."""
    found = set()
    for path in PACKAGE.glob("*.py"):
        source = path.read_text("utf-8")
        found |= set(re.findall(r'"([a-z]+(?:\.[a-zA-Z]+)+)"', source))
        named = re.findall(r'(?:\.|")([a-z]+_\w+)(?:\(|")', source)
        found |= {name.replace("_", ".") for name in named}
    return {name for name in found if hasattr(AsyncWebClient, name.replace(".", "_"))}


def used_events(registered: dict[str, set[str]]) -> set[str]:
    return MESSAGES | registered.get("event", set())


def used_scopes(registered: dict[str, set[str]]) -> set[str]:
    scopes: set[str] = set()
    for method in used_methods():
        scopes |= SCOPES_OF_METHODS[method]
    for event in used_events(registered):
        scopes |= SCOPES_OF_EVENTS[event]
    if registered.get("command") or registered.get("shortcut"):
        scopes.add("commands")
    if "agent_view" in read_manifest()["features"]:
        scopes.add("assistant:write")  # docs.slack.dev/ai/agent-sessions: agents are given it
    return scopes


def test_every_method_that_the_code_calls_is_in_the_table_of_scopes() -> None:
    assert "chat.postMessage" in used_methods()
    assert "auth.test" in used_methods()
    assert used_methods() <= set(SCOPES_OF_METHODS)


def test_the_scopes_are_those_that_the_code_needs(registered: dict[str, set[str]]) -> None:
    assert bot_scopes() == used_scopes(registered)


def test_the_events_are_those_that_the_code_hears(registered: dict[str, set[str]]) -> None:
    events = set(read_manifest()["settings"]["event_subscriptions"]["bot_events"])
    assert events == used_events(registered)


def test_the_commands_and_shortcuts_are_those_that_are_answered(
    registered: dict[str, set[str]],
) -> None:
    features = read_manifest()["features"]
    commands = {command["command"] for command in features["slash_commands"]}
    assert commands == registered.get("command", set())
    shortcuts = {shortcut["callback_id"] for shortcut in features["shortcuts"]}
    kinds = ("shortcut", "message_shortcut", "global_shortcut")
    assert shortcuts == set().union(*(registered.get(kind, set()) for kind in kinds))


def test_the_lists_are_sorted_and_name_nothing_twice() -> None:
    manifest = read_manifest()
    for names in (
        manifest["oauth_config"]["scopes"]["bot"],
        manifest["settings"]["event_subscriptions"]["bot_events"],
    ):
        assert names == sorted(set(names))


def test_the_texts_are_within_slacks_lengths() -> None:
    manifest = read_manifest()
    shown, features = manifest["display_information"], manifest["features"]
    assert len(shown["description"]) <= 140
    assert 174 <= len(shown["long_description"]) <= 4000
    assert len(features["agent_view"]["agent_description"]) <= 300
    assert len(features["agent_view"]["suggested_prompts"]) <= 4
    assert all(len(command["description"]) <= 2000 for command in features["slash_commands"])
    for shortcut in features["shortcuts"]:
        assert len(shortcut["name"]) <= 24
        assert len(shortcut["description"]) <= 150


def test_the_http_variant_names_the_address_everywhere_and_needs_no_socket() -> None:
    manifest = yaml.safe_load(write_manifest("https://bot.example.com/"))
    url = "https://bot.example.com/slack/events"
    settings = manifest["settings"]
    assert settings["socket_mode_enabled"] is False
    assert settings["event_subscriptions"]["request_url"] == url
    assert settings["interactivity"]["request_url"] == url
    assert {command["url"] for command in manifest["features"]["slash_commands"]} == {url}
    socket_mode = yaml.safe_load(write_manifest())
    assert manifest["oauth_config"] == socket_mode["oauth_config"]
    assert write_manifest(url) == write_manifest("https://bot.example.com")


@pytest.mark.parametrize("address", ["bot.example.com", "http://bot.example.com", "https://"])
def test_an_address_that_slack_would_refuse_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="https"):
        write_manifest(address)


def test_the_command_prints_the_manifest_as_it_is_shipped(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bot", "slack-manifest"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert yaml.safe_load(done.stdout) == read_manifest()
