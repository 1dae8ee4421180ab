"""Turn a weight file of any known kind into ours (.safetensors), or back into the published layout (.pth.tar).

Networks that are spread over several files come into one.

python scripts/convert_checkpoint.py vox-cpk.pth.tar vox.safetensors --half
python scripts/convert_checkpoint.py vox.safetensors vox-cpk.pth.tar --to published
python scripts/convert_checkpoint.py package.safetensors mapping_00229-model.pth.tar sadtalker.safetensors --half
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from talkingface.errors import TalkingFaceError
from talkingface.paths import user_path
from talkingface.weights.convert import LAYOUTS, convert


def main(argv: list[str] | None = None) -> int:
    """Convert files into one; returns the exit status (2: an error that the user can mend)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = "torch, safetensors, Paddle or NumPy file, or a folder of .npz files; several of one model are joined"
    parser.add_argument("input", type=user_path, nargs="+", help=kinds)
    parser.add_argument("output", type=user_path, help="file to write")
    parser.add_argument("--to", choices=LAYOUTS, help="layout of the output; by its ending if left out")
    parser.add_argument("--half", action="store_true", help="store numbers with a fraction as float16")
    parser.add_argument("--model", help="model the weights are meant for, such as FOM; any if left out")
    options = parser.parse_args(argv)
    try:
        found = convert(options.input, options.output, to=options.to, half=options.half, model=options.model)
    except TalkingFaceError as error:
        print(error, file=sys.stderr)
        return 2
    counts = ", ".join(f"{name or 'weights'}: {len(state)} tensors" for name, state in found.states.items())
    print(f"{options.output} ({found.model or 'unknown model'}; {counts})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
