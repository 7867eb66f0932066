"""Which graphs load, as Triton's own environment finds before Triton starts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hepar.core.combined_model import CombinedPart

CHECKED_FILE = "checked_graphs.json"
_TIMEOUT_S = 60
_LOAD = """
import hashlib, json, onnxruntime, pathlib, sys
checked = {}
options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
for file in sys.argv[1:]:
    content = pathlib.Path(file).read_bytes()
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        print(file, error, file=sys.stderr)
        continue
    checked[hashlib.sha256(content).hexdigest()] = [output.name for output in session.get_outputs()]
print(json.dumps(checked))
"""


class CheckFailed(Exception):
    """No graph could be checked; the message states the reason."""


def write_checked_graphs(environment: Path, parts: Sequence[CombinedPart], folder: Path) -> None:
    """Writes the names of the outputs of each graph that loads, by its SHA-256; none where it raises CheckFailed.

    environment: Triton's.  folder: of our backend in the backend directory.
    """
    (folder / CHECKED_FILE).unlink(missing_ok=True)
    if not parts:
        return
    command = [str(environment / "bin" / "python"), "-I", "-c", _LOAD, *(str(part.graph) for part in parts)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise CheckFailed(f"{type(error).__name__}") from error
    (folder / CHECKED_FILE).write_text(json.dumps(json.loads(done.stdout)))
