"""Who and what there is in the workspace of the tests: people, channels, the app and its tokens."""

from typing import Any

TEAM = "T01TEST"
OTHER_TEAM = "T99OTHER"
APP = "A01APP"
BOT = "U0BOT"
BOT_TOKEN = "xoxb-test-token"
APP_TOKEN = "xapp-test-token"
SIGNING_SECRET = "test-signing-secret"

ALICE = "U01ALICE"
BOB = "U02BOB"
CAROL = "U03CAROL"
ADA = "U04ADA"
GUEST = "U05GUEST"
ROBOT = "U06ROBOT"
OUTSIDER = "U07OUTSIDER"

GENERAL = "C01GENERAL"
PRIVATE = "C02PRIVATE"
SUPPORT = "C03SUPPORT"
ARCHIVE = "C04ARCHIVE"
ELSEWHERE = "C05ELSEWHERE"

PEOPLE = {
    ALICE: "alice",
    BOB: "bob",
    CAROL: "carol",
    ADA: "ada",
    GUEST: "guest",
    ROBOT: "robot",
    OUTSIDER: "outsider",
}

# What Slack says of a person beyond what the peer does.
FLAGS: dict[str, dict[str, Any]] = {
    ADA: {"is_admin": True},
    GUEST: {"is_restricted": True, "is_ultra_restricted": True},
    ROBOT: {"is_bot": True},
    OUTSIDER: {"team_id": OTHER_TEAM, "is_stranger": True},
}

# The id by which Slack names another app's messages.
ROBOT_ID = "B06ROBOT"

# Ada's group of people who may be asked.
GROUPS = {"S01HELPERS": [CAROL, ADA]}


def workspace(mode: str, request_url: str | None) -> dict[str, Any]:
    """The peer's configuration; `mode` is "socket" or "events" (then with a URL to post to)."""
    app: dict[str, Any] = {
        "appId": APP,
        "botUserId": BOT,
        "botName": "supportbot",
        "botToken": BOT_TOKEN,
        "appToken": APP_TOKEN,
        "signingSecret": SIGNING_SECRET,
        "mode": mode,
    }
    if request_url:
        app["requestUrl"] = request_url
    everyone = [*PEOPLE, BOT]
    return {
        "workspace": {"name": "Test", "domain": "test", "teamId": TEAM},
        "app": app,
        "users": [
            {
                "id": person,
                "name": name,
                "real_name": name.title(),
                "email": f"{name}@example.com",
                "is_bot": person == ROBOT,
            }
            for person, name in PEOPLE.items()
        ],
        "channels": [
            {"id": GENERAL, "name": "general", "members": everyone},
            {"id": PRIVATE, "name": "private", "is_private": True, "members": [ALICE, ADA, BOT]},
            {"id": SUPPORT, "name": "support", "members": [CAROL, ADA, BOT]},
            {"id": ARCHIVE, "name": "archive", "members": everyone},
            {"id": ELSEWHERE, "name": "elsewhere", "members": [ALICE, BOB]},
        ],
    }
