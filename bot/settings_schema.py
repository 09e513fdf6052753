"""What may be set in supportbot.toml: its sections and keys, with their defaults and limits."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StrictBool, StrictFloat, StrictInt, ValidationInfo

from bot.messages import APPROVED_ANSWERS, EVERYONE
from bot.packaged import packaged
from bot.settings_answers import AnswerSettings, EvaluationSettings, GapSettings
from bot.settings_platforms import QuestionSettings, SlackSettings
from bot.settings_section import CRON, Schedule, Section

# The source of a team that has set none: what supportbot says of itself.
HANDBOOK = "handbook"


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    if "\0" in str(path):
        raise ValueError("holds a NUL, which no path may. Delete it")
    try:
        return (info.context["directory"] if info.context else Path.cwd()) / path.expanduser()
    except RuntimeError:
        raise ValueError("has a home folder that is unknown. Write the path in full") from None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _existing_folder(path: Path) -> Path:
    if _is_folder(path):
        return path
    if os.path.lexists(path):
        raise ValueError("is not a folder that can be entered. Write the path of a folder")
    raise ValueError(
        "does not exist. Create the folder or correct the path, which is read from the folder "
        "of supportbot.toml"
    )


def _new_folder(path: Path) -> Path:
    if os.path.lexists(path) and not _is_folder(path):
        raise ValueError("is not a folder. Write the path of a folder, which need not exist yet")
    return path


def _existing_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError("is not a file. Write the path of a file that exists")
    return path


def _folder_or_name(model: str, info: ValidationInfo) -> str:
    if model.startswith((".", "/", "~")):
        return str(_existing_folder(_beside_the_file(Path(model), info)))
    return model


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_login = "@" in parts.netloc
        is_base = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_login = is_base = False
    if is_login:
        raise ValueError("holds a user or password, which readers would see. Leave them out")
    if not is_base or {"?", "#"} & set(url):
        raise ValueError(
            "is not a web address that paths can follow. Write one such as "
            "https://wiki.example.com/handbook"
        )
    return url


def _address_of_a_model(url: str, info: ValidationInfo) -> str:
    if not info.data.get("llm"):
        raise ValueError("is of no use without a model. Write `llm` too, or delete this key")
    return _address(url)


def _pattern(pattern: str) -> str:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([pattern])
    except (ValueError, re.error):
        raise ValueError("is not a pattern as in a .gitignore. Write one such as *.md") from None
    return pattern


Folder = Annotated[Path, AfterValidator(_beside_the_file), AfterValidator(_existing_folder)]
Patterns = tuple[Annotated[str, Field(min_length=1), AfterValidator(_pattern)], ...]
Principal = Annotated[str, Field(pattern=r"^(everyone|[a-z]+:\S+)$")]


class EncoderSettings(Section):
    """What turns text into vectors."""

    model: Annotated[str, Field(min_length=1), AfterValidator(_folder_or_name)] = Field(
        default="all-MiniLM-L6-v2", description='a hub name, or a folder such as "./models/ours"'
    )
    precision: Literal["int8", "fp32"] = Field(default="int8", description='"int8" or "fp32"')
    threads: StrictInt = Field(
        default_factory=lambda: min(os.cpu_count() or 1, 64),
        ge=1,
        le=64,
        description="a whole number from 1 to 64",
    )


class SearchSettings(Section):
    """How passages are searched."""

    exact_up_to: StrictInt = Field(
        default=5_000, ge=0, le=10_000_000, description="a whole number from 0 to 10000000"
    )
    candidates: StrictInt = Field(
        default=40, ge=10, le=1000, description="a whole number from 10 to 1000"
    )


class IntentSettings(Section):
    """How messages are told apart, and how the classifier is trained."""

    catalog: Annotated[Path, AfterValidator(_beside_the_file), AfterValidator(_existing_file)] = (
        Field(
            default=Path(__file__).with_name("intents") / "intents.yaml",
            description='the path of a YAML file, such as "intents.yaml"',
        )
    )
    min_confidence: StrictFloat = Field(default=0.5, ge=0, le=1, description="a number from 0 to 1")
    model: Annotated[str, Field(min_length=1), AfterValidator(_folder_or_name)] = Field(
        default="all-MiniLM-L6-v2", description='a hub name, or a folder such as "./models/ours"'
    )
    keep_in_scope: StrictFloat = Field(
        default=0.97, ge=0.5, le=1, description="a number from 0.5 to 1"
    )


class DatabaseSettings(Section):
    """How the database is used; where it is says DATABASE_URL."""

    pool_size: StrictInt = Field(default=5, ge=1, le=50, description="a whole number from 1 to 50")


class JobSettings(Section):
    """How long work in the background may take."""

    deadline_minutes: StrictInt = Field(
        default=360, ge=1, le=10_080, description="a whole number from 1 to 10080"
    )


class RetrainingSettings(Section):
    """When the classifier learns from what was rated."""

    schedule: Schedule = Field(default="30 3 * * *", description=CRON)
    threads: StrictInt = Field(default=0, ge=0, le=64, description="a whole number from 0 to 64")
    memory_mb: StrictInt = Field(
        default=4096, ge=512, le=1_048_576, description="a whole number from 512 to 1048576"
    )


class LearningSettings(Section):
    """How far ratings are learnt from: nobody alone teaches the classifier what is wrong."""

    minimum_new: StrictInt = Field(
        default=20, ge=0, le=100_000, description="a whole number from 0 to 100000"
    )
    ratings_per_day: StrictInt = Field(
        default=10, ge=1, le=10_000, description="a whole number from 1 to 10000"
    )
    share_per_person: StrictFloat = Field(
        default=0.02, ge=0, le=1, description="a number from 0 to 1"
    )
    new_per_intent: StrictInt = Field(
        default=5, ge=1, le=10_000, description="a whole number from 1 to 10000"
    )
    quorum: StrictInt = Field(default=3, ge=1, le=100, description="a whole number from 1 to 100")
    train_on_discord_messages: StrictBool = Field(default=False, description="true or false")


def _free_name(name: str) -> str:
    if name == APPROVED_ANSWERS:
        raise ValueError("is the name of the answers that admins approved. Write another")
    return name


class SourceSettings(Section):
    """A folder of documents. Without `include` every kind of file that can be read is taken."""

    name: Annotated[str, AfterValidator(_free_name)] = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]*$",
        max_length=63,
        description='a short name of lowercase letters, digits, - and _, such as "wiki"',
    )
    folder: Folder = Field(description='the path of a folder, such as "../wiki"')
    include: Patterns = Field(
        default=(), description='a list of patterns, such as ["*.md", "*.html"]'
    )
    exclude: Patterns = Field(default=(), description='a list of patterns, such as ["drafts/"]')
    url: Annotated[str, Field(pattern=r"^[^\s<>\"\\]+$"), AfterValidator(_address)] | None = Field(
        default=None, description='a web address, such as "https://wiki.example.com/handbook"'
    )
    audience: frozenset[Principal] = Field(
        default=frozenset({EVERYONE}),
        min_length=1,
        description='a list such as ["everyone"] or ["slack:C0123", "team:support"]',
    )
    schedule: Schedule = Field(default="0 3 * * *", description=CRON)


def _or_handbook(sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
    handbook = SourceSettings.model_construct(name=HANDBOOK, folder=packaged("docs"))
    return sources or (handbook,)


class FileSettings(Section):
    """What supportbot.toml may hold; a new section is a class above and a field here."""

    data_directory: Annotated[
        Path, AfterValidator(_beside_the_file), AfterValidator(_new_folder)
    ] = Field(
        default=Path(".supportbot"), description='the path of a folder, such as ".supportbot"'
    )
    language: str = Field(
        default="english",
        max_length=127,
        pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$",
        description='a text-search configuration of Postgres, such as "english" or "simple"',
    )
    llm: str | None = Field(
        default=None,
        max_length=255,
        pattern=r"^(openai|anthropic|ollama)/[^\s\x00-\x1f]+$",
        description='a provider and a model, such as "openai/gpt-5-mini", "anthropic/…" or '
        '"ollama/…"',
    )
    llm_base_url: (
        Annotated[str, Field(pattern=r"^[^\s<>\"\\]+$"), AfterValidator(_address_of_a_model)] | None
    ) = Field(
        default=None, description='the web address of the API, such as "http://127.0.0.1:8000/v1"'
    )
    llm_timeout_seconds: StrictFloat = Field(
        default=60.0, ge=1, le=600, description="a number of seconds from 1 to 600"
    )
    encoder: EncoderSettings = Field(
        default_factory=EncoderSettings, description="its keys below a line [encoder]"
    )
    answers: AnswerSettings = Field(
        default_factory=AnswerSettings, description="its keys below a line [answers]"
    )
    search: SearchSettings = Field(
        default_factory=SearchSettings, description="its keys below a line [search]"
    )
    intents: IntentSettings = Field(
        default_factory=IntentSettings, description="its keys below a line [intents]"
    )
    database: DatabaseSettings = Field(
        default_factory=DatabaseSettings, description="its keys below a line [database]"
    )
    jobs: JobSettings = Field(
        default_factory=JobSettings, description="its keys below a line [jobs]"
    )
    retraining: RetrainingSettings = Field(
        default_factory=RetrainingSettings, description="its keys below a line [retraining]"
    )
    learning: LearningSettings = Field(
        default_factory=LearningSettings, description="its keys below a line [learning]"
    )
    gaps: GapSettings = Field(
        default_factory=GapSettings, description="its keys below a line [gaps]"
    )
    evaluation: EvaluationSettings = Field(
        default_factory=EvaluationSettings, description="its keys below a line [evaluation]"
    )
    questions: QuestionSettings = Field(
        default_factory=QuestionSettings, description="its keys below a line [questions]"
    )
    slack: SlackSettings = Field(
        default_factory=SlackSettings, description="its keys below a line [slack]"
    )
    sources: Annotated[tuple[SourceSettings, ...], AfterValidator(_or_handbook)] = Field(
        default=(), description="the keys of each source below a line [[sources]]"
    )
