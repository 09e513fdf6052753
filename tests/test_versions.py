"""Rolling back: to which version, by whom, and what is said where it cannot be."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import VersionError
from bot.storage import classifiers
from bot.storage.classifiers import NewVersion, Version
from bot.versions import Serving, listed, roll_back, story
from tests.storage.test_classifiers import encoder_id, trained

__all__ = ["encoder_id"]


@pytest.fixture
def serving(encoder_id: int) -> Serving:
    """What serves: the intents and the encoder that the versions were trained with."""
    return Serving(("b", "a"), encoder_id)


async def found(engine: AsyncEngine, version: int) -> Version:
    row = await classifiers.find(engine, version)
    assert row
    return row


async def test_back_to_the_version_before_and_who_did_it_is_noted_in_both(
    engine: AsyncEngine, serving: Serving
) -> None:
    first, second = [await trained(engine, serving.encoder_id) for _ in range(2)]
    assert story(await found(engine, second)).startswith("made live by retraining on 2")
    done = await roll_back(engine, serving, "ann")
    assert (done.version.id, done.former_id) == (first, second)
    assert await classifiers.live_id(engine) == first
    back, taken = await found(engine, first), await found(engine, second)
    assert (back.state, back.promoted_by, back.is_rollback) == ("live", "ann", True)
    assert (taken.state, taken.rolled_back_by) == ("retired", "ann")
    assert story(back).startswith("rolled back to by ann on ")
    assert "; taken back by ann on " in story(taken)


async def test_rolling_back_again_goes_further_back_and_never_forth(
    engine: AsyncEngine, serving: Serving
) -> None:
    versions = [await trained(engine, serving.encoder_id) for _ in range(3)]
    assert (await roll_back(engine, serving, "ann")).version.id == versions[1]
    assert (await roll_back(engine, serving, "ann")).version.id == versions[0]
    with pytest.raises(VersionError, match="no version was live before it"):
        await roll_back(engine, serving, "ann")
    assert (await roll_back(engine, serving, "bob", versions[2])).version.rolled_back_at is None
    assert (await roll_back(engine, serving, "bob")).version.id == versions[1]


async def test_a_refused_version_needs_force_and_goes_back_to_what_it_replaced(
    engine: AsyncEngine, serving: Serving
) -> None:
    await trained(engine, serving.encoder_id)
    refused = await trained(engine, serving.encoder_id, is_refused=True)
    live = await trained(engine, serving.encoder_id)
    with pytest.raises(VersionError, match=r"was refused: It is worse\..*add --force"):
        await roll_back(engine, serving, "ann", refused)
    await roll_back(engine, serving, "ann", refused, is_forced=True)
    assert await classifiers.live_id(engine) == refused
    assert (await roll_back(engine, serving, "ann")).version.id == live


async def test_a_version_that_was_never_judged_needs_force(
    engine: AsyncEngine, serving: Serving
) -> None:
    live = await trained(engine, serving.encoder_id)
    new = NewVersion(serving.encoder_id, live, ("a", "b"), {}, {"model.onnx": b"model"})
    candidate = await classifiers.add(engine, new)
    with pytest.raises(VersionError, match="was never judged"):
        await roll_back(engine, serving, "ann", candidate)


async def test_what_cannot_be_used_is_refused_with_a_sentence_and_nothing_changes(
    engine: AsyncEngine, serving: Serving
) -> None:
    with pytest.raises(VersionError, match="No version is live"):
        await roll_back(engine, serving, "ann")
    with pytest.raises(VersionError, match=r"no version 99\. There is none yet"):
        await roll_back(engine, serving, "ann", 99)
    first, live = [await trained(engine, serving.encoder_id) for _ in range(2)]
    other_catalog = Serving(("a", "c"), serving.encoder_id)
    other_encoder = Serving(serving.intents, serving.encoder_id + 1)
    for serves, version, said in (
        (serving, live, f"Version {live} is live already"),
        (serving, 99, f"There is no version 99. The newest are {live}, {first}"),
        (other_catalog, None, "it does not know `c`; it knows `b`, which the catalog lacks"),
        (other_encoder, first, "another encoder"),
        (other_encoder, None, "another encoder"),
    ):
        with pytest.raises(VersionError, match=said):
            await roll_back(engine, serves, "ann", version, is_forced=True)
    assert await classifiers.live_id(engine) == live
    assert (await found(engine, live)).rolled_back_by is None


async def test_of_many_rollbacks_at_once_each_is_done_or_told_that_it_was_not(
    engine: AsyncEngine, serving: Serving
) -> None:
    first, second = [await trained(engine, serving.encoder_id) for _ in range(2)]
    done = await asyncio.gather(
        *(roll_back(engine, serving, f"person {n}", first) for n in range(20)),
        return_exceptions=True,
    )
    succeeded = [each for each in done if not isinstance(each, BaseException)]
    assert [each.former_id for each in succeeded] == [second]
    assert all(isinstance(each, VersionError) for each in done if each not in succeeded)
    assert (await found(engine, first)).replaced_id is None


async def test_the_live_version_is_listed_however_old_it_is(
    engine: AsyncEngine, serving: Serving
) -> None:
    versions = [await trained(engine, serving.encoder_id) for _ in range(4)]
    await roll_back(engine, serving, "ann", versions[0])
    shown = [version.id for version in await listed(engine, 2)]
    assert shown == [versions[3], versions[2], versions[0]]
