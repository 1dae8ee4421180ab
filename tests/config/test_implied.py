"""Settings that follow from the others."""

from __future__ import annotations

from talkingface.config import load_settings


def test_a_data_set_alone_is_trained_on() -> None:
    settings = load_settings(["--model=FOM", "--dataset=sample"])
    assert (settings.run_mode, settings.variant) == ("train", "compact")
    assert settings.train.batch_size == 4  # the data set's file is above the variant's


def test_a_data_set_beside_a_picture_or_another_job_is_not_trained_on() -> None:
    assert load_settings(["--dataset=sample", "--video_source=a.mp4"]).run_mode == "infer"
    assert load_settings(["--dataset=sample", "--run_mode=evaluate"]).run_mode == "evaluate"


def test_a_named_variant_is_trained() -> None:
    assert load_settings(["--dataset=sample", "--variant=vox-256"]).variant == "vox-256"
