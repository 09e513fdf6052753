"""Classifier versions as operators see them: listed, and rolled back by hand."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import VersionError
from bot.storage import classifiers
from bot.storage.classifiers import Version


@dataclass(frozen=True, slots=True)
class Serving:
    """What a version must match to be used: the catalog's intents, the id of the encoder."""

    intents: Collection[str]
    encoder_id: int


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The version that is live now, and the one that it replaced."""

    version: Version
    former_id: int | None


async def listed(engine: AsyncEngine, count: int = 20) -> list[Version]:
    """The versions trained last, newest first, and the live one, however old it is."""
    newest = await classifiers.newest(engine, count)
    live_id = await classifiers.live_id(engine)
    if live_id is None or any(version.id == live_id for version in newest):
        return newest
    live = await classifiers.find(engine, live_id)
    return [*newest, live] if live else newest


async def roll_back(
    engine: AsyncEngine,
    serving: Serving,
    by: str,
    version: int | None = None,
    *,
    is_forced: bool = False,
    is_rollback: bool = True,
) -> RolledBack:
    """Make a version live again: the one of that id, else the one that the live version replaced.

    The gate is not asked. `by` is noted in the version. Only where `is_forced` may it be one that
    the gate refused or never saw. Unless `is_rollback` the version that it replaces is not marked
    as taken back.

    Raises:
        VersionError: there is no such version, or it cannot be used as things are.
    """
    live_id = await classifiers.live_id(engine)
    target = await _target(engine, live_id, version)
    if target.id == live_id:
        raise VersionError(f"Version {target.id} is live already.")
    if problem := mismatch(target, serving):
        raise VersionError(f"Version {target.id} cannot be used: {problem}")
    if target.state in {"refused", "candidate"} and not is_forced:
        why = f"was refused: {target.refusal}" if target.refusal else "was never judged."
        raise VersionError(f"Version {target.id} {why} To make it live nevertheless, add --force.")
    is_forced = target.state in {"refused", "candidate"}
    if not await classifiers.promote(
        engine, target.id, live_id, by, is_rollback=is_rollback, is_forced=is_forced
    ):
        raise VersionError(
            "Another version went live meanwhile, so nothing was changed. Look at the versions and "
            "try again."
        )
    promoted = await classifiers.find(engine, target.id)
    assert promoted is not None
    return RolledBack(promoted, live_id)


def mismatch(version: Version, serving: Serving) -> str:
    """Why a version cannot be used with what serves now, as a sentence; empty where it can."""
    lacking = set(serving.intents) - set(version.intents)
    surplus = set(version.intents) - set(serving.intents)
    if lacking or surplus:
        parts = [
            *([f"it does not know {_names(lacking)}"] if lacking else []),
            *([f"it knows {_names(surplus)}, which the catalog lacks"] if surplus else []),
        ]
        return f"{'; '.join(parts)}. Bring that catalog back, or retrain."
    if version.encoder_id != serving.encoder_id:
        return "it was trained with another encoder. Set that encoder again, or retrain."
    if not version.has_files:
        return "its files are no longer kept. Retrain instead."
    return ""


def share(version: Version, metric: str) -> str:
    """A figure of the version's test in percent; empty where there is none."""
    test = version.metrics.get("test") or {}
    return f"{100 * test[metric]:.1f} %" if metric in test else ""


def story(version: Version) -> str:
    """Who made a version live or took it back and when, or why it was refused."""
    parts = []
    if version.promoted_at and version.promoted_by:
        how = "rolled back to" if version.is_rollback else "made live"
        on = f"{version.promoted_at:%Y-%m-%d %H:%M}"
        although = f", although: {version.overruled}" if version.overruled else ""
        parts.append(f"{how} by {version.promoted_by} on {on}{although}")
    if version.rolled_back_at:
        on = f"{version.rolled_back_at:%Y-%m-%d %H:%M}"
        parts.append(f"taken back by {version.rolled_back_by} on {on}")
    if version.refusal:
        parts.append(version.refusal)
    return "; ".join(parts)


def lineage(version: Version) -> str:
    """Where a version comes from: an import, or the version then live and the hash of its data."""
    imported = version.metrics.get("imported")
    came = f"imported, there version {imported['version']}" if imported else ""
    parent = f"from {version.parent_id}" if version.parent_id is not None else ""
    data = f"data {version.data[:12]}" if version.data else ""
    return ", ".join(part for part in (came, parent, data) if part)


async def _target(engine: AsyncEngine, live_id: int | None, wanted: int | None) -> Version:
    if wanted is None:
        live = None if live_id is None else await classifiers.find(engine, live_id)
        if live is None:
            raise VersionError("No version is live, so there is none to roll back. Retrain first.")
        if live.replaced_id is None:
            raise VersionError(f"Version {live.id} is live, and no version was live before it.")
        wanted = live.replaced_id
    target = await classifiers.find(engine, wanted)
    if target is None:
        newest = [str(version.id) for version in await classifiers.newest(engine, 10)]
        there_are = f"The newest are {', '.join(newest)}." if newest else "There is none yet."
        raise VersionError(f"There is no version {wanted}. {there_are}")
    return target


def _names(intents: Collection[str]) -> str:
    """The intents, the first five by name."""
    shown = sorted(intents)[:5]
    more = f" and {len(intents) - len(shown)} more" if len(intents) > len(shown) else ""
    return ", ".join(f"`{name}`" for name in shown) + more
