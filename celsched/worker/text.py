"""Owns how texts of user code are made fit for storage: clean, redacted, bounded. It never decides what is stored."""

CUT = "... (cut)"


def clean(text: str) -> str:
    """Return the text without what PostgreSQL or UTF-8 cannot hold (NUL, lone surrogates); the rest is untouched."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text


def bounded(text: str, limit: int) -> str:
    """Return the beginning of the text where it has more than `limit` characters, and say that it was cut."""
    return text if len(text) <= limit else text[: limit - len(CUT)] + CUT


def bounded_end(text: str, limit: int) -> str:
    """Return the end of the text where it has more than `limit` characters: of a traceback the end tells most."""
    return text if len(text) <= limit else f"{CUT}\n" + text[len(CUT) + 1 - limit :]
