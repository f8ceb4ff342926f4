"""`python -m glrender` is the same as the command `glrender`."""

import sys

from glrender.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
