"""What a file says, as Markdown: one module a format; runs in the child of `ingest.parsing`."""

from importlib import import_module

from bot.errors import DocumentRejectedError
from ingest.markup import decoding, titles

EXTENSIONS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdx": "mdx",
    ".rst": "rest",
    ".txt": "text",
    ".text": "text",
    ".html": "html",
    ".htm": "html",
}


def convert(name: str, form: str, data: bytes) -> tuple[str, str]:
    """The title and the Markdown of a file; `form` is a value of EXTENSIONS.

    Raises:
        DocumentRejectedError: it is not text, or holds none.
    """
    text = decoding.decode(data, is_html=form == "html")
    if not text.strip():
        raise DocumentRejectedError("is empty")
    # Each format's library is imported by the first document that needs it.
    module = import_module(f"ingest.markup.{form}")
    page: titles.Page = module.convert(text)
    markdown = decoding.clean(page.markdown).strip("\n")
    if not markdown.strip():
        raise DocumentRejectedError("holds no text")
    return titles.title_of(page, decoding.clean(name)), markdown + "\n"
