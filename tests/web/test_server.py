"""What a server needs of the system."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import resource
from hepar.web.server import allow_open_files

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
allow_open_files(300)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
allow_open_files(100)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 250))
allow_open_files(300)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_the_limit_on_open_files_is_raised_where_that_is_permitted() -> None:
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.split() == ["300", "300", "250"]
