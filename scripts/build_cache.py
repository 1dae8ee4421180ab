#!/usr/bin/env python3
"""Build the cache of frames and face meshes that scripts/train_compact.py reads.

python scripts/build_cache.py --data CLIPS [--split train] [--cache runs/cache] [--share 0/2]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CLONE))


def main() -> int:
    """Write the missing clips of a split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of clips with clips.csv, see docs/data.md")
    parser.add_argument("--split", default="train", help="of clips.csv (default: train)")
    parser.add_argument("--cache", type=Path, default=CLONE / "runs" / "cache", help="folder of the caches")
    parser.add_argument("--share", default="0/1", help="part of the clips that this process takes, such as 0/2")
    arguments = parser.parse_args()

    from talkingface.data.cache.settings import CacheSettings
    from talkingface.data.cache.store import build_cache
    from talkingface.data.stores import open_store
    from talkingface.face.detect.analyser import open_analyser

    number, count = map(int, arguments.share.split("/"))
    store, analyser = open_store(arguments.data, arguments.split), open_analyser("mesh")
    folder = arguments.cache / arguments.split
    for clip, frames in build_cache(store, folder, analyser, CacheSettings(), (number, count)):
        print(f"{clip.name}: {frames}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
