"""Writes the page docs/settings.md from the settings: `python -m globolatte_cli.settings_page > docs/settings.md`."""

from pydantic import BaseModel

from resources.settings.azureml import PREFIX, AzureMLSettings
from resources.settings.settings import LandingSettings, Settings, SnowflakeSettings

HEAD = """# Settings

Every setting is an environment variable. `globolatte doctor` prints the values in force. This page is written from
`resources/settings/settings.py` and `resources/settings/azureml.py` by
`python -m globolatte_cli.settings_page`; a test compares the two.

"""
TABLE = """| variable | default | meaning |
|---|---|---|
"""

SECTIONS: dict[str, tuple[type[BaseModel], str]] = {
    "Files and deliveries": (LandingSettings, ""),
    "Snowflake": (SnowflakeSettings, "Read where `GLOBOLATTE_WAREHOUSE=snowflake` ([how to set it up](snowflake.md))."),
    "Azure ML": (
        AzureMLSettings,
        "Read where `GLOBOLATTE_ML=azureml` ([how to set it up](azureml.md)). The first three have no default.",
    ),
}


def page() -> str:
    """The page's text."""
    parts = [HEAD, TABLE, _rows(Settings, list(Settings.__annotations__))]
    for title, (settings, text) in SECTIONS.items():
        introduction = f"{text}\n\n" if text else ""
        parts += [f"\n## {title}\n\n", introduction, TABLE, _rows(settings, list(settings.model_fields))]
    return "".join(parts)


def _rows(settings: type[BaseModel], names: list[str]) -> str:
    lines = []
    for name, field in settings.model_fields.items():
        if name in names:
            default = "" if field.is_required() or field.default is None else f"`{shown(field.default)}`"
            meaning = " ".join(str(field.description).split())
            lines.append(f"| `{variable(settings, name)}` | {default} | {meaning} |\n")
    return "".join(lines)


def variable(settings: type[BaseModel], name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX if settings is AzureMLSettings else 'GLOBOLATTE_'}{name.upper()}"


def shown(value: object) -> str:
    """A setting's value as its variable holds it."""
    return ",".join(value) if isinstance(value, tuple) else "" if value is None else str(value)


if __name__ == "__main__":
    print(page(), end="")
