"""A team that uses supportbot: its folder and database, its questions, ratings and retrainings.

Everything but the people is the real code: the catalog from its file, turns and ratings in
Postgres, the versions as they serve, `bot.retraining`.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import text

from benchmarks.learning_sets import Asked, Stream, write_catalog
from benchmarks.people import Habits, People, rating
from bot.app import App, open_app
from bot.intents import registry
from bot.messages import Answer, Conversation, Outcome, Prediction, Question, Rating, Turn
from bot.retraining import retrain
from bot.settings import load_settings
from bot.storage import classifiers, ratings, turns

QUESTIONS_A_DAY = 200

ANSWER = Answer(Outcome.ANSWERED, "An answer from the documents.")
# The turns were asked evenly over the days until now, whenever the benchmark really ran.
SPREAD_OVER_DAYS = (
    "UPDATE turns SET asked_at = now() - (latest - place) * interval '1 day' / :a_day FROM"
    " (SELECT id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS latest FROM turns"
    "  WHERE conversation LIKE 'honest%') AS placed WHERE turns.id = placed.id",
    "UPDATE ratings SET rated_at = asked_at + interval '1 minute' FROM turns"
    " WHERE turns.id = turn_id AND conversation LIKE 'honest%'",
)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a version makes of a test: shares from 0 to 1, and the intent it gives each text."""

    accuracy: float
    kept_in_scope: float
    intents: tuple[str, ...]


@asynccontextmanager
async def team(folder: Path, database: str, stream: Stream, encoders: Path) -> AsyncIterator[App]:
    """The app of a team with the stream's catalog; `encoders` is where exported ones are kept."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    encoders.mkdir(parents=True, exist_ok=True)
    if not (data / "encoders").exists():
        (data / "encoders").symlink_to(encoders.absolute())
    write_catalog(stream.utterances, folder / "intents.yaml")
    (folder / ".env").write_text(f"DATABASE_URL={database}\n")
    (folder / "supportbot.toml").write_text(
        'data_directory = "data"\n[intents]\ncatalog = "intents.yaml"\n'
    )
    async with open_app(load_settings(folder, {}), lambda _said: None) as app:
        yield app


async def learn(app: App) -> dict[str, Any]:
    """Retrain as the schedule does; what the retraining says of itself."""
    return await retrain(app, lambda _share, _note: None)


async def asked_so_far(app: App) -> int:
    """How many questions honest people have asked."""
    async with app.engine.connect() as connection:
        statement = "SELECT count(*) FROM turns WHERE conversation LIKE 'honest%'"
        return int(await connection.scalar(text(statement)) or 0)


async def ask(app: App, questions: Sequence[Asked], since: int, habits: Habits, seed: int) -> None:
    """Store questions, the first of them number `since`, with what the live version takes them
    for, and what people say of the answers."""
    people = People(seed)
    predictions = await predict(app, [asked.text for asked in questions])
    for number, (asked, prediction) in enumerate(
        zip(questions, predictions, strict=True), start=since
    ):
        person = people.asker(number)
        conversation = Conversation("slack", f"honest:{number}")
        question = Question(asked.text, person, conversation)
        turn = await turns.save(app.engine, Turn(None, question, ANSWER, {}, prediction))
        said = rating(
            turn, person, prediction.intent, asked.intent, app.catalog.names, habits,
            random.Random(f"rating {seed} {number}"),
        )  # fmt: skip
        if said is not None:
            await ratings.save(app.engine, said)
    async with app.engine.begin() as connection:
        await connection.execute(text(SPREAD_OVER_DAYS[0]), {"a_day": QUESTIONS_A_DAY})
        await connection.execute(text(SPREAD_OVER_DAYS[1]))


async def attack(app: App, questions: Sequence[Asked], said: Sequence[Rating], days: int) -> None:
    """Store questions that attackers ask, and ratings, whose `turn_id` is the number of the
    question among these, all of them spread evenly over the last days."""
    predictions = await predict(app, [asked.text for asked in questions])
    ids = []
    for number, (asked, prediction) in enumerate(zip(questions, predictions, strict=True)):
        asker = next(one.person for one in said if one.turn_id == number)
        question = Question(asked.text, asker, Conversation("slack", f"attack:{number}"))
        ids.append(await turns.save(app.engine, Turn(None, question, ANSWER, {}, prediction)))
    for one in said:
        values = (one.person, one.value, one.reason, one.intent)
        await ratings.save(app.engine, Rating(ids[one.turn_id], *values))
    ages = [{"turn": turn, "age": days * (1 - place / len(ids))} for place, turn in enumerate(ids)]
    async with app.engine.begin() as connection:
        for table, key, column in (("turns", "id", "asked_at"), ("ratings", "turn_id", "rated_at")):
            statement = f"UPDATE {table} SET {column} = now() - :age * interval '1 day'"
            await connection.execute(text(f"{statement} WHERE {key} = :turn"), ages)


async def predict(app: App, texts: Sequence[str]) -> list[Prediction]:
    """What the live version takes texts for, as it serves."""
    live = await classifiers.live_id(app.engine)
    assert live is not None
    return await predict_with(app, live, texts)


async def predict_with(app: App, version: int, texts: Sequence[str]) -> list[Prediction]:
    """What a version, live or not, takes texts for."""
    cache = app.settings.data_directory / "classifiers"
    classifier = registry.load(version, await registry.fetch(app.engine, version, cache))
    try:
        return await classifier.classify_all(texts, await app.encoder.encode(texts))
    finally:
        classifier.close()


async def score(app: App, version: int, test: Sequence[Asked]) -> Scores:
    """How a version does on a test; out of scope counts by the intent it stands nearest to."""
    predictions = await predict_with(app, version, [asked.text for asked in test])
    intents = tuple(likeliest(prediction) for prediction in predictions)
    return Scores(
        float(
            np.mean([intent == asked.intent for intent, asked in zip(intents, test, strict=True)])
        ),
        float(np.mean([p.intent in app.catalog.names for p in predictions])),
        intents,
    )


def likeliest(prediction: Prediction) -> str:
    """The likeliest intent of the catalog, which out of scope is not."""
    first = prediction.alternatives[0] if prediction.alternatives else ("", 0.0)
    is_outside = prediction.intent == "out_of_scope" and first[0]
    return first[0] if is_outside else prediction.intent
