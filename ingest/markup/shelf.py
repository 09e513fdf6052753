"""Code that is set aside while the Markdown around it is worked on."""

import re

# Characters of Unicode's private use, which decoding removes from every document.
MARK = re.compile("\ue000(\\d+)\ue001")


class Shelf:
    """Keeps pieces of text; each is stood for by a mark in the text it came from."""

    def __init__(self) -> None:
        self._kept: list[str] = []

    def put(self, text: str) -> str:
        """The mark that stands for a text."""
        self._kept.append(text)
        return f"\ue000{len(self._kept) - 1}\ue001"

    def restore(self, text: str) -> str:
        """The text with every mark replaced; further lines of a piece are indented as its first."""
        lines = [self._restore(line) if "\ue000" in line else line for line in text.split("\n")]
        return "\n".join(lines)

    def _restore(self, line: str) -> str:
        def kept(match: re.Match[str]) -> str:
            text = self._kept[int(match[1])]
            if "\n" not in text:
                return text
            before = match.string[: match.start()]
            prefix = re.sub(r"[^\s>]", " ", before) if len(before) <= 200 else ""
            return text.replace("\n", "\n" + prefix)

        # A piece may itself hold marks: code within a table, say.
        for _ in range(3):
            line = MARK.sub(kept, line)
        return line
