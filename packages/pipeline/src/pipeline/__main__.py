"""`python -m pipeline` is `stack`."""

from __future__ import annotations

import sys

from pipeline.cli.main import main

sys.exit(main())
