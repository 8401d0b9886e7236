"""The console: a page and an API that show what a Resync does, and steer it. It is nowhere unless somebody mounts it.

```python
recorder = telemetry.Recorder()
resync = Resync.from_env(on_event=recorder)
app.mount("/resync", Console(resync, recorder=recorder))  # and RESYNC_CONSOLE_TOKEN says who may see it
```
"""

from __future__ import annotations

from .access import Auth
from .app import Console
from .steered import Steered

__all__ = ["Auth", "Console", "Steered"]
