"""The last import of a fork server: what it has imported by then is shared by the processes that it starts.

Their garbage collections would write to every object, and so copy the pages that it is on.
"""

from __future__ import annotations

import gc

gc.collect()
gc.freeze()
