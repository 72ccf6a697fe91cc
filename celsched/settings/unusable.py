"""Owns the error of a value that is not acceptable; it never knows where the value stood, its catcher does."""


class Unusable(Exception):
    """A raw value that is not acceptable; the text completes "`setting` ..."."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
