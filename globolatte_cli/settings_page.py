"""The page docs/settings.md, written from the settings themselves: `python -m globolatte_cli.settings_page > docs/settings.md`."""

from resources.settings import Settings

HEAD = """# Settings

Every setting is an environment variable. `globolatte doctor` prints the values in force. This page is written from
`resources/settings.py` by
`python -m globolatte_cli.settings_page`; a test compares the two.

| variable | default | meaning |
|---|---|---|
"""


def page() -> str:
    """The page's text."""
    rows = [
        f"| `GLOBOLATTE_{name.upper()}` | {_shown(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return HEAD + "\n".join(rows) + "\n"


def _shown(default: object) -> str:
    if default is None:
        return ""
    return f"`{','.join(default) if isinstance(default, tuple) else default}`"


if __name__ == "__main__":
    print(page(), end="")
