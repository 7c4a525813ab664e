"""`python -m pod_image`."""

import sys

from pod_image.cli import main

if __name__ == "__main__":
    sys.exit(main())
