"""What is kept of classifier versions, and for how long."""

import asyncio
import hashlib

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.storage import artefacts, classifiers
from bot.storage.classifiers import KEPT_REFUSED, KEPT_VERSIONS, NewVersion


@pytest.fixture
async def encoder_id(engine: AsyncEngine) -> int:
    """An encoder to train with."""
    async with engine.begin() as connection:
        found: int = await connection.scalar(
            text(
                "INSERT INTO encoders (fingerprint, name, dimension)"
                " VALUES (encode(sha256('encoder'), 'hex'), 'encoder', 384) RETURNING id"
            )
        )
    return found


async def trained(engine: AsyncEngine, encoder_id: int, *, is_refused: bool = False) -> int:
    """A version with files of its own and one that all share, live or refused, with a picture."""
    live = await classifiers.live_id(engine)
    number = await count(engine, "classifier_versions")
    files = {"model.onnx": f"model {number}".encode(), "tokenizer.json": b"shared"}
    files["dataset.jsonl"] = f"data {number}".encode()
    new = NewVersion(encoder_id, live, ("a", "b"), {"test": {"accuracy": 0.9}}, files)
    version = await classifiers.add(engine, new)
    await classifiers.keep_picture(engine, version, f"picture {number}".encode())
    if is_refused:
        await classifiers.refuse(engine, version, "It is worse.")
    else:
        assert await classifiers.promote(engine, version, instead_of=live)
    return version


async def count(engine: AsyncEngine, table: str) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


async def test_any_process_reads_the_picture_of_a_version(
    engine: AsyncEngine, encoder_id: int
) -> None:
    version = await trained(engine, encoder_id)
    assert await classifiers.picture(engine, version) == b"picture 0"
    assert await classifiers.picture(engine, version + 1) is None


async def test_a_version_is_found_by_what_it_was_trained_with(
    engine: AsyncEngine, encoder_id: int
) -> None:
    first, _ = [await trained(engine, encoder_id) for _ in range(2)]
    found = await classifiers.trained_with(engine, hashlib.sha256(b"data 0").digest())
    assert [version.id for version in found] == [first]


async def test_files_of_the_last_versions_are_kept_and_metrics_for_ever(
    engine: AsyncEngine, encoder_id: int
) -> None:
    refused = [await trained(engine, encoder_id)]
    refused += [await trained(engine, encoder_id, is_refused=True) for _ in range(5)]
    versions = [refused.pop(0), *[await trained(engine, encoder_id) for _ in range(12)]]
    await classifiers.forget_files(engine)
    found = {version.id: version for version in await classifiers.newest(engine, 100)}
    assert len(found) == len(refused) + len(versions)
    assert all(version.metrics["test"]["accuracy"] == 0.9 for version in found.values())
    with_files = [version for version in versions if found[version].has_files]
    assert with_files == versions[-KEPT_VERSIONS:]
    assert [version for version in refused if found[version].has_files] == refused[-KEPT_REFUSED:]
    assert await classifiers.picture(engine, versions[0]) is None
    assert await classifiers.picture(engine, versions[-1]) is not None
    kept = KEPT_VERSIONS + KEPT_REFUSED
    assert await count(engine, "artefacts") == 3 * kept + 1
    assert not await classifiers.promote(engine, versions[0], instead_of=versions[-1])


async def test_the_live_version_and_the_one_before_it_are_kept_however_old(
    engine: AsyncEngine, encoder_id: int
) -> None:
    first, second = [await trained(engine, encoder_id) for _ in range(2)]
    new = NewVersion(encoder_id, second, ("a", "b"), {}, {"model.onnx": b"candidate"})
    for _ in range(KEPT_VERSIONS + 2):  # as candidates of trainings that were killed
        await classifiers.add(engine, new)
    await classifiers.forget_files(engine)
    found = {version.id: version for version in await classifiers.newest(engine, 100)}
    assert found[first].has_files
    assert found[second].has_files
    assert sum(version.has_files for version in found.values()) == KEPT_VERSIONS + 2


async def test_files_that_are_being_stored_are_not_deleted_as_unreferenced(
    engine: AsyncEngine, encoder_id: int
) -> None:
    async with engine.begin() as leftover:
        await artefacts.store(leftover, b"model")  # nothing refers to it
    async with engine.begin() as adding:
        sha256 = await artefacts.store(adding, b"model")
        forgetting = asyncio.ensure_future(classifiers.forget_files(engine))
        await asyncio.sleep(0.3)
        assert not forgetting.done()
        await adding.execute(
            text("INSERT INTO encoder_files VALUES (:encoder, 'model.onnx', :sha256)"),
            {"encoder": encoder_id, "sha256": sha256},
        )
    await forgetting
    assert await count(engine, "artefacts") == 1


async def test_what_a_version_was_trained_with_is_not_among_what_serves(
    engine: AsyncEngine, encoder_id: int
) -> None:
    version = await trained(engine, encoder_id)
    served = await classifiers.file_hashes(engine, version)
    assert sorted(served) == ["model.onnx", "tokenizer.json"]
    whole = await classifiers.file_hashes(engine, version, is_whole=True)
    assert whole.keys() - served.keys() == {"dataset.jsonl"}
    found = await classifiers.find(engine, version)
    assert found is not None
    assert found.data == hashlib.sha256(b"data 0").hexdigest() == whole["dataset.jsonl"]


async def test_both_pictures_are_kept_and_deleted_with_their_version(
    engine: AsyncEngine, encoder_id: int
) -> None:
    version = await trained(engine, encoder_id)
    await classifiers.keep_picture(engine, version, b"picture", b"panels")
    await classifiers.forget_files(engine)
    assert await classifiers.picture(engine, version) == b"picture"
    assert await classifiers.panels(engine, version) == b"panels"
