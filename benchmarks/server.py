"""One embedded Postgres and one exported encoder for a whole benchmark."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from bot.storage.embedded import EmbeddedServer


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The libpq URL of a server of its own, stopped at the end."""
    with EmbeddedServer(folder / "server") as embedded:
        yield embedded.start()


def new_database(postgres: str, name: str) -> str:
    """Create a database on the server; its URL."""
    name = re.sub(r"\W", "_", name.lower())
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE bench_{name}")
    return make_url(postgres).set(database=f"bench_{name}").render_as_string(hide_password=False)


def exported_encoder(folder: Path, precision: str = "int8") -> Path:
    """The default encoder, exported into the folder."""
    target = folder / f"encoder-{precision}"
    if not target.exists():
        subprocess.run(
            [
                sys.executable,
                "-m",
                "bot.encoder_export",
                "all-MiniLM-L6-v2",
                precision,
                str(target),
            ],
            check=True,
        )
    return target


def copy_of(postgres: str, database: str, name: str) -> str:
    """Create a database with all that another one holds, which nobody is connected to; its URL."""
    origin = make_url(database).database
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE bench_{name} TEMPLATE {origin}")
    return make_url(postgres).set(database=f"bench_{name}").render_as_string(hide_password=False)
