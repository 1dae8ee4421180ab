"""The one command, from a clone: ``python run_talkingface.py --model=FOM --run_mode=infer ...``."""

import sys

from talkingface.cli import main

if __name__ == "__main__":
    sys.exit(main())
