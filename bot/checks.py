"""What `supportbot doctor` tells of one thing that it has looked at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked; `advice` says what to do where it is not well."""

    name: str
    is_ok: bool
    found: str
    advice: str = ""
