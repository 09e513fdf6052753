"""The facts that examples are made of, and who is left out of them."""

from dataclasses import asdict

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.encoder import Encoder
from bot.messages import Outcome, Person, Rating, Reason
from bot.storage import classifiers, encoders, examples, ratings
from bot.storage.classifiers import NewVersion
from tests.rated import ANN, ASKER, BOB, CID, asked, settle, up, wrong_topic


async def version_of(engine: AsyncEngine, encoder: Encoder, encoder_folder: object) -> int:
    encoder_id = await encoders.register(engine, encoder.manifest, encoder_folder)  # type: ignore[arg-type]
    return await classifiers.add(engine, NewVersion(encoder_id, None, ["a", "b"], {}, {}))


async def test_each_rating_is_a_fact_with_its_turn(
    engine: AsyncEngine, encoder: Encoder, encoder_folder: object
) -> None:
    version = await version_of(engine, encoder, encoder_folder)
    first = await asked(engine, "where is my invoice", "billing", version=version)
    second = await asked(engine, "hello", "greeting", version=version, is_canned=True)
    await up(engine, first, BOB)
    await wrong_topic(engine, first, ANN, "shipping")
    await ratings.save(engine, Rating(second, CID, -1, Reason.OTHER, comment="secret"))
    found = await examples.facts(engine)
    assert [asdict(fact) | {"rated_at": None} for fact in found] == [
        {
            "turn_id": first, "question": "where is my invoice", "asker": "slack:UASKER",
            "platform": "slack", "is_follow_up": False, "outcome": Outcome.ANSWERED,
            "is_canned": False, "intent": "billing", "confidence": 0.7, "version": version,
            "rated_at": None,
        } | rated
        for rated in (
            {"rater": "slack:UBOB", "value": 1, "reason": None, "corrected": None},
            {"rater": "slack:UANN", "value": -1, "reason": Reason.WRONG_TOPIC,
             "corrected": "shipping"},
        )
    ] + [
        {
            "turn_id": second, "question": "hello", "asker": "slack:UASKER", "platform": "slack",
            "is_follow_up": False, "outcome": Outcome.ANSWERED, "is_canned": True,
            "intent": "greeting", "confidence": 0.7, "version": version, "rater": "slack:UCID",
            "value": -1, "reason": Reason.OTHER, "corrected": None, "rated_at": None,
        }
    ]  # fmt: skip
    assert sorted(fact.rated_at for fact in found) == [fact.rated_at for fact in found]


async def test_a_failed_turn_is_no_canned_reply(engine: AsyncEngine) -> None:
    await up(engine, await asked(engine, "hello", is_canned=True, outcome=Outcome.FAILED))
    assert [fact.is_canned for fact in await examples.facts(engine)] == [False]


async def test_what_was_asked_soon_after_another_question_is_a_follow_up(
    engine: AsyncEngine,
) -> None:
    old = await asked(engine, "what does the plan cost", talk="C1:7")
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE turns SET asked_at = now() - interval '40 minutes' WHERE id = :id"),
            {"id": old},
        )
    for question in ("where is my invoice", "is that free"):
        await up(engine, await asked(engine, question, talk="C1:7"))
    assert [fact.is_follow_up for fact in await examples.facts(engine)] == [False, True]


async def test_barred_people_are_left_out_as_raters_and_as_askers(engine: AsyncEngine) -> None:
    for asker in (ASKER, CID):
        turn = await asked(engine, "where is my invoice", person=asker)
        await up(engine, turn, ANN)
        await up(engine, turn, BOB)
        await settle(engine, "where is my invoice", "billing", turn=turn, asker=asker)
    assert await examples.bar(engine, CID, "terminal") == {}
    assert await examples.bar(engine, ANN, "slack:UADMIN") == {}
    assert [(fact.asker, fact.rater) for fact in await examples.facts(engine)] == [
        ("slack:UASKER", "slack:UBOB")
    ]
    assert [each.asker for each in await examples.settled(engine)] == ["slack:UASKER"]
    assert {each.person: each.barred_by for each in await examples.barred(engine)} == {
        ANN: "slack:UADMIN",
        CID: "terminal",
    }
    assert await examples.unbar(engine, CID)
    assert not await examples.unbar(engine, CID)
    assert len(await examples.facts(engine)) == 2


async def test_of_more_ratings_than_are_read_the_newest_are(engine: AsyncEngine) -> None:
    for number in range(5):
        await up(engine, await asked(engine, f"question {number}"))
    found = await examples.facts(engine, most=2)
    assert [fact.question for fact in found] == ["question 3", "question 4"]


async def test_many_ratings_are_read_by_their_indexes(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO turns (platform, conversation, person, question, outcome, answer,"
                " citations, passages, timings_ms) SELECT 'slack', 'C1:' || n % 50, 'U' || n % 300,"
                " 'question ' || n, 'answered', 'An answer.', '[]', '[]', '{}'"
                " FROM generate_series(1, 5000) AS n"
            )
        )
        await connection.execute(
            text(
                "INSERT INTO ratings (turn_id, platform, person, value, rated_at)"
                " SELECT id, 'slack', 'U' || id % 300, 1, now() - make_interval(secs => id)"
                " FROM turns"
            )
        )
    async with engine.begin() as connection:
        await connection.execute(text("ANALYZE"))
        values = {"most": 200, "characters": 4000, "minutes": 30}
        plan = await connection.execute(text(f"EXPLAIN {examples.FACTS.text}"), values)
        steps = "\n".join(plan.scalars())
    assert "ratings_by_time" in steps
    assert "turns_of_a_conversation" in steps
    assert "Seq Scan on ratings" not in steps


async def test_versions_remember_whom_they_saw_and_are_marked_when_one_is_barred(
    engine: AsyncEngine, encoder: Encoder, encoder_folder: object
) -> None:
    versions = [await version_of(engine, encoder, encoder_folder) for _ in range(3)]
    await examples.note_people(engine, versions[0], {"slack:UANN": 4, "discord:1:2": 1})
    await examples.note_people(engine, versions[1], {"slack:UANN": 7, "slack:UBOB": 2})
    await examples.note_people(engine, versions[2], {})
    async with engine.connect() as connection:
        assert await examples.versions_of(connection, Person("discord", "1:2")) == {versions[0]: 1}
    for _ in range(2):  # barring twice marks once
        assert await examples.bar(engine, ANN, "terminal") == {versions[0]: 4, versions[1]: 7}
    marks = [await examples.forgotten_examples(engine, version) for version in versions]
    assert marks == [4, 7, 0]
