"""A setting that a chosen world cannot do without."""


class MissingSettingError(RuntimeError):
    """A chosen world needs a setting that is not there."""

    def __init__(self, variable: str, why: str) -> None:
        super().__init__(f"{variable} is not set, but {why} needs it; set it (see docs/settings.md)")


def required(value: str | None, variable: str, why: str) -> str:
    """A setting's value. Raises `MissingSettingError` if there is none."""
    if not value:
        raise MissingSettingError(variable, why)
    return value
