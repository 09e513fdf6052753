"""The secrets: read from the environment or .env, checked for their shape, never shown."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from bot.settings_file import read_text

FILE = ".env"

# What a secret looks like wherever it turns up: Slack's and model providers' tokens, Discord's,
# signing secrets, and what stands before the @ of an address.
LOOKS_SECRET = re.compile(
    r"\bxox[a-z]-\S+|\bxapp-\S+|\bsk-[\w-]{8,}|[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}"
    r"|[0-9a-f]{32,}|(?<=://).*(?=@)",
    re.IGNORECASE,
)


class Secrets(BaseModel):
    """What nobody may see; each is named as its variable, in lowercase."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr | None = None
    slack_bot_token: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    discord_token: SecretStr | None = None
    openai_api_key: SecretStr | None = None
    anthropic_api_key: SecretStr | None = None


VARIABLES = {field: field.upper() for field in Secrets.model_fields}


class Written(NamedTuple):
    """A variable's value and where it was found, "the environment" or ".env"."""

    value: str
    place: str


def read_variables(
    directory: Path, environment: Mapping[str, str]
) -> tuple[dict[str, Written], list[str]]:
    """The secrets as they are written, the environment before .env, and the problems of .env."""
    from dotenv.parser import parse_stream

    text, problem = read_text(directory / FILE)
    problems = [problem] if problem else []
    in_file: dict[str, str] = {}
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            problems.append(f"line {binding.original.line} is not of the form NAME=value. Mend it.")
        elif binding.key:
            in_file[binding.key] = binding.value or ""
    found: dict[str, Written] = {}
    for variable in VARIABLES.values():
        for values, place in ((environment, "the environment"), (in_file, FILE)):
            value = values.get(variable, "").strip()
            if value:
                found.setdefault(variable, Written(value, place))
    return found, problems


def check_secrets(variables: Mapping[str, Written]) -> tuple[Secrets, list[str]]:
    """The secrets, and a sentence for each that cannot be right."""
    secrets: dict[str, SecretStr] = {}
    problems = []
    for field, variable in VARIABLES.items():
        written = variables.get(variable)
        if written is None:
            continue
        problem = CHECKS.get(variable, _token)(written.value)
        if problem:
            problems.append(f"{variable} in {written.place} {problem}")
        secrets[field] = SecretStr(written.value)
    if not problems and "database_url" in secrets:
        secrets["database_url"] = SecretStr(_libpq(secrets["database_url"].get_secret_value()))
    return Secrets(**secrets), problems


def masking(variables: Iterable[Written]) -> Callable[[str], str]:
    """A function that takes these values, and whatever looks like a secret, out of a text."""
    values: set[str] = set()
    for written in variables:
        values.add(written.value)
        _, _, login = written.value.rpartition("@")[0].partition("://")
        password = login.partition(":")[2]
        values |= {password, unquote(password)}
    longest_first = sorted((value for value in values if len(value) >= 6), key=len, reverse=True)

    def mask(text: str) -> str:
        for value in longest_first:
            text = text.replace(value, "***")
        return LOOKS_SECRET.sub("***", text)

    return mask


def _token(value: str, prefix: str = "", fix: str = "") -> str:
    if not value.startswith(prefix):
        return f"does not start with {prefix}. {fix}"
    if not value.isascii() or not value.isprintable() or " " in value:
        return "holds a space or a character that no token has. Copy it again."
    return ""


def _libpq(url: str) -> str:
    return "postgresql://" + url.partition("://")[2]


def _database_url(url: str) -> str:
    """What is wrong with it; the sentences quote nothing of it, as any part may be a password."""
    scheme = url.partition("://")[0]
    if scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
        return "does not start with postgresql://. " + FORM
    if re.search(r"\s|%(?![0-9A-Fa-f]{2})|#", url) or not url.isprintable():
        return "holds a space, # or % that is not encoded. " + ENCODE
    try:
        parts = urlsplit(_libpq(url))
        port = parts.port
    except ValueError:
        return "has no proper host and port. " + ENCODE
    if parts.netloc.count("@") > 1 or "@" in parts.path or port == 0:
        return "has no proper host and port. " + ENCODE
    return _missing_part(parts)


def _missing_part(parts: SplitResult) -> str:
    query = parse_qs(parts.query)
    if "password" in query:
        return "has its password behind the ?. " + FORM
    if not parts.hostname and not query.get("host"):
        return "names no host. " + FORM
    if not parts.path.strip("/") and not query.get("dbname"):
        return "names no database. " + FORM
    return ""


FORM = (
    "Write postgresql://user:password@host:5432/database, or "
    "postgresql:///database?host=/var/run/postgresql for a socket."
)
ENCODE = (
    "In user and password, write % as %25, @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and a "
    "space as %20."
)
CHECKS: dict[str, Callable[[str], str]] = {
    "DATABASE_URL": _database_url,
    "SLACK_BOT_TOKEN": partial(
        _token,
        prefix="xoxb-",
        fix='Copy the Bot User OAuth Token from your Slack app\'s page "OAuth & Permissions".',
    ),
    "SLACK_APP_TOKEN": partial(
        _token,
        prefix="xapp-",
        fix='Copy an app-level token from your Slack app\'s page "Basic Information".',
    ),
}
