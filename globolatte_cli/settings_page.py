"""The page docs/settings.md, written from the settings themselves: `python -m globolatte_cli.settings_page > docs/settings.md`."""

from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from resources.azureml.settings import PREFIX, AzureMLSettings
from resources.settings import Settings

HEAD = """# Settings

Every setting is an environment variable. `globolatte doctor` prints the values in force. This page is written from
`resources/settings.py` by
`python -m globolatte_cli.settings_page`; a test compares the two.

| variable | default | meaning |
|---|---|---|
"""


AZUREML_HEAD = """
## Azure ML

Read where `GLOBOLATTE_ML=azureml` ([how to set it up](azureml.md)), from `resources/azureml/settings.py`. The first three have no default.

| variable | default | meaning |
|---|---|---|
"""


def page() -> str:
    """The page's text."""
    return HEAD + _table(Settings, "GLOBOLATTE_") + AZUREML_HEAD + _table(AzureMLSettings, PREFIX)


def _table(settings: type[BaseSettings], prefix: str) -> str:
    rows = (
        f"| `{prefix}{name.upper()}` | {_shown(field.default)} | {field.description} |\n"
        for name, field in settings.model_fields.items()
    )
    return "".join(rows)


def _shown(default: object) -> str:
    if default is None or default is PydanticUndefined:
        return ""
    return f"`{','.join(default) if isinstance(default, tuple) else default}`"


if __name__ == "__main__":
    print(page(), end="")
