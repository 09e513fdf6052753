"""Where the files that ship beside the code are: migrations and the handbook."""

from pathlib import Path


def packaged(name: str) -> Path:
    """The folder `name`: inside an installed package, else at the top of the checkout."""
    here = Path(__file__).parent
    bundled = here / f"_{name}"
    return bundled if bundled.is_dir() else here.parent / name
