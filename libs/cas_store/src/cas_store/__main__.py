"""``python -m cas_store``."""

import sys

from cas_store.command import main

if __name__ == "__main__":
    sys.exit(main())
