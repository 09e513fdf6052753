"""The HNSW index over an encoder's vectors: only above the size where an exact scan is slow."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

BUILD_MEMORY = "512MB"


async def ensure(engine: AsyncEngine, encoder_id: int, dimension: int, exact_up_to: int) -> bool:
    """Build the index if this encoder has more than `exact_up_to` vectors and none yet.

    Whether it built one. Questions go on meanwhile; an invalid index that a killed build left
    behind is dropped first.
    """
    name = f"pieces_nearest_{encoder_id}"
    async with engine.connect() as pooled:
        connection = await pooled.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(
            text("SELECT pg_advisory_lock(hashtext('supportbot vector index'))")
        )
        try:
            is_valid = await connection.scalar(
                text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"),
                {"name": name},
            )
            vectors = await connection.scalar(
                text(
                    "SELECT count(*) FROM (SELECT FROM pieces WHERE encoder_id = :encoder"
                    " LIMIT :limit) AS counted"
                ),
                {"encoder": encoder_id, "limit": exact_up_to + 1},
            )
            if is_valid or vectors <= exact_up_to:
                return False
            await connection.execute(text(f"SET maintenance_work_mem = '{BUILD_MEMORY}'"))
            await connection.execute(text(f"DROP INDEX IF EXISTS {name}"))
            await connection.execute(
                text(
                    f"CREATE INDEX CONCURRENTLY {name} ON pieces"
                    f" USING hnsw ((embedding::halfvec({dimension})) halfvec_ip_ops)"
                    f" WHERE encoder_id = {encoder_id}"
                )
            )
            return True
        finally:
            await connection.invalidate()


async def settle(engine: AsyncEngine) -> None:
    """After a bulk load: fresh statistics for the planner, and postings that can be read from
    their index alone, before the first question needs them."""
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("VACUUM (ANALYZE) terms, postings"))
        await connection.execute(text("ANALYZE documents, chunks, pieces"))


async def is_searchable(engine: AsyncEngine, encoder_id: int) -> bool:
    """Whether a finished index over this encoder's vectors exists."""
    async with engine.connect() as connection:
        return bool(
            await connection.scalar(
                text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"),
                {"name": f"pieces_nearest_{encoder_id}"},
            )
        )
