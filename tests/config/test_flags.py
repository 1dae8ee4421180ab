"""Flags as users write them, and as they misspell them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from talkingface.config import load_settings
from talkingface.config.flags import ABSENT, BARE, RENAMED, SHORTHANDS, WORDS, parse_flags
from talkingface.config.options import find, options
from talkingface.config.published import CHOICES, JOINED, LETTERS, NEEDLESS, TAKES_VALUE
from talkingface.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["--frame_limit=8"], "frame_limit", 8),
        (["--frame-limit", "8"], "frame_limit", 8),
        (["--train.max_steps", "8"], "train.max_steps", 8),
        (["--train.max-steps=8"], "train.max_steps", 8),
        (["--if_align"], "if_align", True),
        (["--no-relative"], "relative", False),
        (["--no_relative"], "relative", False),
        (["--relative", "false"], "relative", False),
        (["--relative=no"], "relative", False),
        (["--fps", "30000/1001"], "fps", Fraction(30000, 1001)),
        (["--train.learning_rate", "1e-4"], "train.learning_rate", 1e-4),
        (["--train.milestones", "6", "9"], "train.milestones", [6, 9]),
        (["--train.milestones=6,9"], "train.milestones", [6, 9]),
        (["--train.milestones", "[6, 9]"], "train.milestones", [6, 9]),
        (["--train.milestones", "none"], "train.milestones", None),
        (["--train.loss_weights.perceptual", "1", "2.5"], "train.loss_weights", {"perceptual": [1.0, 2.5]}),
        (["--frame_limit=none"], "frame_limit", None),
        (["--audio=none"], "audio", "none"),
        (["--quality", "18"], "quality", "18"),
        (["--image_source=--odd name.png"], "image_source", Path("--odd name.png")),
        (["--image_source", "-odd, with 'quotes'.png"], "image_source", Path("-odd, with 'quotes'.png")),
        (["--frame_limit=8", "--frame_limit=9"], "frame_limit", 9),
    ],
)
def test_ways_to_write_a_flag(words: list[str], key: str, value: object) -> None:
    found: object = load_settings(words)
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value
    assert type(found) is type(value) or isinstance(value, Path)


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["--source_image", "a.png"], "image_source", Path("a.png")),
        (["--driving_video", "b.mp4"], "video_source", Path("b.mp4")),
        (["--result_video", "c.mp4"], "output", Path("c.mp4")),
        (["--result_dir", "out"], "output_dir", Path("out")),
        (["--cpu"], "device", "cpu"),
        (["--audio", "--cpu"], "audio", "driving"),
        (["--mode", "animate"], "run_mode", "infer"),
        (["--mode", "reconstruction"], "run_mode", "evaluate"),
        (["--size", "512"], "image_size", 512),
    ],
)
def test_flags_of_the_published_programs(words: list[str], key: str, value: object) -> None:
    assert getattr(load_settings(words), key) == value


def test_the_whole_line_of_the_published_demo() -> None:
    words = "--checkpoint vox-cpk --source_image a.png --driving_video b.mp4 --relative --adapt_scale --cpu --audio"
    settings = load_settings(words.split())
    assert (settings.relative, settings.adapt_scale, settings.device, settings.audio) == (True, True, "cpu", "driving")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--modle=FOM"], "--modle: unknown flag. Did you mean '--model'?"),
        (["--train.max_step", "3"], "--train.max_step: unknown flag. Did you mean '--train.max_steps'?"),
        (["--driving_vidoe=x"], "--driving_vidoe: unknown flag. Did you mean '--driving_video'?"),
        (["--run_mode=infr"], "--run_mode: 'infr' is no choice. Did you mean 'infer'?"),
        (["--output"], "--output: needs a value. Write --output=VALUE, also where the value starts with two dashes."),
        (["--output", "--cpu"], "--output: needs a value. Write --output=VALUE, also where the value starts with two"),
        (["stray.png"], "'stray.png' belongs to no flag."),
        (["--batch_size", "0"], "--batch_size: '0' should be greater than or equal to 1"),
        (["--frame_limit", "2.5"], "--frame_limit: '2.5' should be a valid integer"),
        (["--relative=maybe"], "--relative: 'maybe' should be a valid boolean"),
        (["--device=gpu"], "--device: 'gpu' must be auto, cpu, mps, cuda or cuda:N"),
        (["--quality=best"], "--quality: 'best' must be one of low, medium, high, lossless, or a number"),
        (["--train.scales", "1", "x"], "--train.scales: "),
        (["--no-frame_limit"], "--no-frame_limit: unknown flag."),
        (["--cpu=false"], "--cpu: 'false' is not possible here."),
        (["--train", "5"], "--train: unknown flag. It is a group of settings"),
        (
            ["--model_params.common_params.num_kq=3"],
            "--model_params.common_params.num_kq: unknown key. Did you mean 'n",
        ),
        (["--model_params.common_params.num_kp=x"], "--model_params.common_params.num_kp: 'x' should be a valid integ"),
    ],
)
def test_mistakes_are_reported_in_one_line_with_the_nearest_word(words: list[str], line: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_settings(words)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


def test_all_wrong_values_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        load_settings(["--fps=x", "--batch_size=0", "--run_mode=walk"])
    lines = str(error.value).splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["--batch_size", "--fps", "--run_mode"]


@pytest.mark.parametrize("flag", sorted(ABSENT))
def test_functions_that_do_not_exist_yet_say_what_does(flag: str) -> None:
    with pytest.raises(ConfigError, match="this version has no such function") as error:
        load_settings([f"--{flag}", "x"])
    assert error.value.cure == ABSENT[flag]


def test_aliases_lead_to_settings_and_hide_none() -> None:
    for name, key in RENAMED.items():
        assert find(key) is not None, name
    for key in [*BARE, *WORDS, *(key for key, _ in SHORTHANDS.values())]:
        assert key in options()
    tables = [*RENAMED, *SHORTHANDS, *ABSENT, *CHOICES, *JOINED, *NEEDLESS]
    assert len(tables) == len(set(tables)) and not set(tables) & options().keys()
    assert set(NEEDLESS) >= TAKES_VALUE and {word.removeprefix("--") for word in LETTERS.values()} <= options().keys()
    assert all(find(setting[0], "StyleHeat") for words in CHOICES.values() for setting in words.values() if setting)


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        ("--name a --dataset=sample", "output_dir", Path("runs/a")),
        ("--checkpoints_dir out --dataset=sample", "output_dir", Path("out")),
        ("--name a --video_source=b.mp4", "output_dir", None),
        ("--checkpoints_dir=out --name=a --output_dir=mine --dataset=sample", "output_dir", Path("mine")),
        ("--filename a.mp4", "output", Path("output/a.mp4")),
        ("--device_ids 0", "device", "auto"),
        ("--device_id=2", "device", "cuda:2"),
        ("--img_shape (512,512)", "image_size", 512),
        ("--mobile_net --weight_path=a.pdparams", "checkpoint", "a.pdparams"),
        ("--no-flag-relative-motion", "relative", False),
        ("-s a.png -d b.mp4 -o out", "output_dir", Path("out")),
        ("--drive 0=a.mp4 1=b.mp4 -s c.png", "image_source", Path("c.png")),
        ("--local_rank 1 --frame_limit=3", "frame_limit", 3),
    ],
)
def test_flags_that_become_other_settings(words: str, key: str, value: object) -> None:
    assert getattr(load_settings(words.split()), key) == value


def test_gpus_of_a_preparation_are_those_of_its_workers() -> None:
    words = ["--run_mode=prepare", "--raw=videos", "--device_ids", "0,1"]
    assert load_settings(words).prepare.device_ids == ("0", "1")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--device_ids 0,1", "--device_ids: '0,1' are several GPUs. --device=cuda:N chooses one GPU"),
        ("--device_ids x", "--device_ids: 'x' is no list of GPUs such as 0,1"),
        ("--img_shape 256,128", "--img_shape: '256,128' is not square. Write one side: --image_size=256."),
        ("--facerender pirender", "--facerender: 'pirender' is not here. Choose one of: facevid2vid."),
        ("--name", "--name: needs a value. Write --name=VALUE."),
        ("--animation_region=lip", "--animation_region: 'lip' is not here."),
    ],
)
def test_wrong_words_after_old_flags_are_one_line(words: str, line: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_settings(words.split())
    assert str(error.value).startswith(line) and "\n" not in str(error.value)


def test_what_is_not_needed_is_told() -> None:
    notes = load_settings(["--single_gpu", "--no_flag_stitching", "--slice_size", "3", "--mobile_net"]).notes
    assert [note.split()[0].rstrip(":") for note in notes] == [
        "--single_gpu",
        "--no_flag_stitching",
        "--slice_size",
        "--mobile_net",
    ]


def test_values_are_never_evaluated() -> None:
    text = "__import__('os').getcwd()"
    (given,) = parse_flags([f"--variant={text}"])
    assert given.value == text
