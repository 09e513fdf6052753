"""MDX to Markdown: what imports, exports and components say to a program is left out."""

from ingest.markup import markdown
from ingest.markup.titles import Page


def convert(text: str) -> Page:
    """A page of MDX; there is no indented code in MDX."""
    return markdown.convert(text, is_mdx=True)
