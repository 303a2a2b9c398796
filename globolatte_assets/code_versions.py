"""The code version of an asset, computed from its sources.

A version is a hash over the sources that the asset's module imports, directly or not, within our packages. It is read from the
files without importing them.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from globolatte_assets.keys import PREFERENCE_MODEL, RECOMMENDER, RESPONSIBLE_AI

PACKAGES = ("globolatte_assets", "globolatte_ingest", "globolatte_lineage", "globolatte_ml", "resources")

STARTED_BY_NAME: Mapping[dg.AssetKey, tuple[str, ...]] = {
    PREFERENCE_MODEL: ("globolatte_ml.train", "globolatte_ml.azureml_job", "globolatte_ml.automl_search"),
    RESPONSIBLE_AI: ("globolatte_ml.rai_inputs",),
    RECOMMENDER: ("globolatte_ml.score", "globolatte_ml.batch_score"),
}
"""Modules that do an asset's work in another process, so that no import of the asset leads to them."""

LEFT_OUT = (
    *("globolatte_assets.keys", "globolatte_assets.automation"),
    *("resources.ml.azureml", "resources.ml.local", "resources.endpoint.azureml", "resources.endpoint.local"),
)
"""Modules and packages about names, scheduling and places of assets. They do not change what an asset makes, so they are left out."""

CODE_REFERENCES = "dagster/code_references"

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(?:\(([^)]*)\)|([^\n(]+))|import[ \t]+([\w., \t]+))", re.MULTILINE
)
"""An import, at the top or within a function: `ast` takes a hundred times as long over all modules."""


def named_in_imports(source: str) -> Iterator[str]:
    """The possible modules behind a source's imports: modules, and names in them that may be modules."""
    for origin, several, names, plain in _IMPORT.findall(source):
        found = [name.split()[0] for name in re.sub(r"#.*", "", several or names or plain).split(",") if name.strip()]
        yield from found if plain else (origin, *(f"{origin}.{name}" for name in found))


class SourceTree:
    """The sources of our packages under a folder. Each file is read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files = {
            self._module(file): file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))
        }
        self._found: dict[str, tuple[str, frozenset[str]]] = {}

    def _module(self, file: Path) -> str:
        parts = file.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def _read(self, module: str) -> tuple[str, frozenset[str]]:
        """The source of a module, and our modules that it imports with the package that it lies in."""
        if module not in self._found:
            source = self._files[module].read_text(encoding="utf-8")
            self._found[module] = source, frozenset([module.rpartition(".")[0], *named_in_imports(source)])
        return self._found[module]

    def modules_run_by(self, modules: Iterable[str]) -> set[str]:
        """These modules and all that they import within our packages, directly or not."""
        reached, coming = set[str](), list(modules)
        while coming:
            module = coming.pop()
            if module in self._files and module not in reached and not self._is_left_out(module):
                reached.add(module)
                coming += self._read(module)[1]
        return reached

    def _is_left_out(self, module: str) -> bool:
        return f"{module}.".startswith(tuple(f"{package}." for package in LEFT_OUT))

    def version(self, file: Path, started_by_name: Iterable[str] = ()) -> str:
        """The version of the code that runs from one file."""
        digest = hashlib.sha256()
        for module in sorted(self.modules_run_by([self._module(file), *started_by_name])):
            digest.update(f"{module}\0{self._read(module)[0]}\0".encode())
        return digest.hexdigest()[:16]


def code_version(spec: dg.AssetSpec, sources: SourceTree) -> str:
    """The version of the code at an asset's first code reference."""
    file = Path(spec.metadata[CODE_REFERENCES].code_references[0].file_path)
    return sources.version(file, STARTED_BY_NAME.get(spec.key, ()))


def sql_version(model: Mapping[str, Any], macros: Mapping[str, Mapping[str, Any]]) -> str:
    """The version of a dbt model: its SQL and that of the project's macros that it calls, directly or not.

    `model`: its entry in dbt's manifest; `macros`: all macros by unique id.
    """
    project = model["package_name"]
    called, coming = set[str](), list(model["depends_on"]["macros"])
    while coming:
        name = coming.pop()
        macro = macros.get(name)
        if macro and macro["package_name"] == project and name not in called:
            called.add(name)
            coming += macro["depends_on"]["macros"]
    code = [model["raw_code"], *(f"{name}\0{macros[name]['macro_sql']}" for name in sorted(called))]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()[:16]
