"""The command as ``python -m talkingface``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
