"""How far a training is, over phases that take unequally long."""

from collections.abc import Callable, Mapping

Tell = Callable[[float, str], None]


class Phases:
    """Tells the share of the whole from the share of a phase.

    The shares are those of the time that the phases are expected to take, so that the time left
    can be told from them.
    """

    def __init__(self, tell: Tell, expected_seconds: Mapping[str, float]) -> None:
        """The phases in their order."""
        self._tell = tell
        total = sum(expected_seconds.values())
        self._spans: dict[str, tuple[float, float]] = {}
        start = 0.0
        for phase, seconds in expected_seconds.items():
            self._spans[phase] = (start, seconds / total)
            start += seconds / total

    def of(self, phase: str, before: str = "") -> Tell:
        """Where a phase tells its own share, from 0 to 1, and what it does, with words before."""
        start, length = self._spans[phase]
        return lambda share, note: self._tell(start + length * min(share, 1.0), before + note)

    def begin(self, phase: str) -> None:
        """Tell that a phase begins which tells nothing itself."""
        self.of(phase)(0.0, phase)
