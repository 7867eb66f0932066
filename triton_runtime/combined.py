"""The second model repository of Triton: the combined model of the first one, as its files are now."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from hepar.core.combined_model import FILES, CombinedModel, CombinedPart, find_combined_model
from hepar.core.file_stamps import file_stamps


class CombinedRepository:
    """A folder with the combined model of `models`, or with none where they cannot be combined."""

    def __init__(self, models: Path, folder: Path) -> None:
        """Empties the folder. `parts` are those of the last refresh."""
        self.folder = folder
        self.parts: tuple[CombinedPart, ...] = ()
        self._models = models
        self._unfinished = folder.with_name(f"{folder.name}.unfinished")
        self._stamps: dict[str, tuple[int, int]] = {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def refresh(self) -> str | None:
        """Applies the changes since the last call: returns the name of a combined model that was written.

        Triton polls the folder, so a model appears in one step. Raises OSError.
        """
        stamps = file_stamps(self._models, FILES)
        if stamps == self._stamps:
            return None
        combined = find_combined_model(self._models)
        self.parts = () if combined is None else combined.parts
        wanted = None if combined is None else self.folder / combined.name
        written = combined is not None and wanted is not None and not wanted.exists() and self._write(combined, wanted)
        for other in self.folder.iterdir():
            if other != wanted:
                shutil.rmtree(other)
        if wanted is None or wanted.exists():
            self._stamps = stamps
        return wanted.name if wanted is not None and written else None

    def _write(self, combined: CombinedModel, wanted: Path) -> bool:
        """False where a graph changed since it was found; the next call finds it as it is then."""
        shutil.rmtree(self._unfinished, ignore_errors=True)
        graphs = self._unfinished / "1"
        graphs.mkdir(parents=True)
        for part in combined.parts:
            content = part.graph.read_bytes()
            if hashlib.sha256(content).hexdigest() != part.sha256:
                return False
            (graphs / f"{part.model}.onnx").write_bytes(content)
        (self._unfinished / "config.pbtxt").write_text(combined.configuration)
        self._unfinished.rename(wanted)
        return True
