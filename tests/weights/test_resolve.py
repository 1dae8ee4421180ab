"""Networks that are spread over several files: which files a command means, what is missing, what comes from which."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from talkingface.errors import ConfigError, WeightsError
from talkingface.weights import Resolved, load_catalogue, resolve
from talkingface.weights.files.tensorfile import write_safetensors
from talkingface.weights.load import load_together, read_notes, save_networks

PACKAGE, MAPPING_70, MAPPING_73 = (
    "SadTalker_V0.0.2_256.safetensors",
    "mapping_00229-model.pth.tar",
    "mapping_00109-model.pth.tar",
)
OLD = ("facevid2vid_00189-model.pth.tar", "auido2exp_00300-model.pth", "auido2pose_00140-model.pth", "epoch_20.pth")
POINTS = "BFM/similarity_Lm3D_all.mat"
NETWORKS = ("kp_extractor", "generator", "audio2exp", "audio2pose", "mapping")


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_bytes(b"x")


def found(root: Path, checkpoint: str | None = None, **preferences: Any) -> Resolved:
    return resolve("SadTalker", checkpoint, root, preferences=preferences)


def names(resolved: Resolved) -> list[str]:
    return [path.name for path in resolved.paths]


@pytest.mark.parametrize(
    ("preferences", "name", "mapping"),
    [
        ({}, "sadtalker_256", MAPPING_70),
        ({"preprocess": None, "image_size": None}, "sadtalker_256", MAPPING_70),
        ({"preprocess": "extcrop", "image_size": 256}, "sadtalker_256", MAPPING_70),
        ({"preprocess": "full"}, "sadtalker_256_full", MAPPING_73),
        ({"preprocess": "full", "image_size": 384}, "sadtalker_256_full", MAPPING_73),  # a size that none is for
    ],
)
def test_settings_choose_among_official_defaults(
    tmp_path: Path, preferences: Mapping[str, Any], name: str, mapping: str
) -> None:
    put(tmp_path, PACKAGE, MAPPING_70, MAPPING_73, POINTS)
    chosen = found(tmp_path, **preferences)
    assert chosen.entry is not None and (chosen.entry.name, names(chosen)) == (name, [PACKAGE, mapping])
    assert chosen.label == f"weights: {name} (2 files, 0.0 MB)"


def test_the_size_wished_for_decides_and_any_will_do_without_a_wish(tmp_path: Path) -> None:
    put(tmp_path, PACKAGE.replace("256", "512"), MAPPING_70, POINTS)
    assert names(found(tmp_path)) == [PACKAGE.replace("256", "512"), MAPPING_70]
    assert names(found(tmp_path, image_size=512)) == names(found(tmp_path))
    with pytest.raises(WeightsError, match="no weights of SadTalker were found"):
        resolve("SadTalker", None, tmp_path, without_ours(), {"image_size": 256})


def test_the_old_set_serves_where_the_new_is_not(tmp_path: Path) -> None:
    put(tmp_path, *OLD, MAPPING_73, POINTS)
    chosen = found(tmp_path, preprocess="extfull")
    assert chosen.entry is not None and chosen.entry.name == "sadtalker_old_full"
    assert names(chosen) == [*OLD[:3], MAPPING_73]
    put(tmp_path, PACKAGE)
    assert names(found(tmp_path, preprocess="extfull")) == [PACKAGE, MAPPING_73]


def test_what_is_missing_is_named_file_by_file(tmp_path: Path) -> None:
    put(tmp_path, MAPPING_70)
    with pytest.raises(WeightsError, match="--run_mode=fetch --checkpoint=sadtalker_256, or get by hand") as caught:
        found(tmp_path, "sadtalker_256")
    for name in (PACKAGE, POINTS):
        assert f" to {tmp_path / name}" in str(caught.value)
    assert MAPPING_70 not in str(caught.value)
    put(tmp_path, PACKAGE)
    with pytest.raises(WeightsError, match=r"its file .*Lm3D_all.mat is not there.*--checkpoint=deep3d_landmarks"):
        found(tmp_path, "sadtalker_256")


def without_ours() -> Any:
    catalogue = load_catalogue()
    entries = {name: entry for name, entry in catalogue.entries.items() if not entry.shipped_path}
    return catalogue.model_copy(update={"entries": entries})


def test_half_of_an_official_default_is_told_of_where_ours_are_taken(tmp_path: Path) -> None:
    save_networks(tmp_path / "ours.safetensors", {"net": {"w": torch.ones(1)}}, {"model": "SadTalker"})
    catalogue = without_ours()
    shipped = load_catalogue()["fom_compact"].sources[0].model_copy(update={"path": str(tmp_path / "ours.safetensors")})
    ours = load_catalogue()["fom_compact"].model_copy(
        update={"name": "ours", "model": "SadTalker", "sources": (shipped,)}
    )
    catalogue = catalogue.model_copy(update={"entries": {**catalogue.entries, "ours": ours}})
    assert resolve("SadTalker", None, tmp_path, catalogue).label.endswith(
        "; for the published quality: --run_mode=fetch --checkpoint=sadtalker_256)"
    )
    put(tmp_path, PACKAGE)
    label = resolve("SadTalker", None, tmp_path, catalogue).label
    assert label.startswith("weights: ours (shipped") and f"lacks {tmp_path / MAPPING_70}" in label


def test_a_part_brings_the_others_from_beside_it_or_from_the_root(tmp_path: Path) -> None:
    root, theirs = tmp_path / "root", tmp_path / "theirs"
    put(theirs, PACKAGE, MAPPING_73)
    put(root, PACKAGE, MAPPING_70, POINTS)
    given = str(theirs / PACKAGE)
    assert found(root, given, preprocess="full").paths == (theirs / PACKAGE, theirs / MAPPING_73)
    assert found(root, given, preprocess="crop").paths == (theirs / PACKAGE, root / MAPPING_70)
    assert found(root, "sadtalker_package_256").paths == (root / PACKAGE, root / MAPPING_70)


def test_several_files_and_names_are_joined(tmp_path: Path) -> None:
    put(tmp_path, PACKAGE, MAPPING_70, POINTS, "mine.safetensors")
    mine = tmp_path / "mine.safetensors"
    joined = found(tmp_path, f"{mine},sadtalker_256")
    assert joined.paths == (mine, tmp_path / PACKAGE, tmp_path / MAPPING_70)
    assert joined.entry is not None and joined.entry.variant == "256"
    assert found(tmp_path, f"{tmp_path / PACKAGE},{mine}").paths == (tmp_path / PACKAGE, mine)


def test_each_network_is_read_from_the_first_file_that_holds_it(tmp_path: Path) -> None:
    def state(value: float) -> dict[str, torch.Tensor]:
        return {"w": torch.full((1,), value)}

    save_networks(tmp_path / "a.safetensors", {"n": state(1)}, {"model": "M", "config": "{}"})
    save_networks(tmp_path / "b.safetensors", {"n": state(2), "m": state(3)}, {"model": "M", "variant": "v"})
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    states = load_together(paths, model="M", only=("n", "m"))
    assert (float(states["n"]["w"]), float(states["m"]["w"])) == (1, 3)
    notes = read_notes(paths)
    assert (notes["config"], notes["variant"]) == ("{}", "v")
    with pytest.raises(WeightsError, match=r"b\.safetensors: holds no network k\. .*FILE,FILE"):
        load_together(paths, model="M", only=("n", "k"))


def test_published_parts_together_hold_every_network(tmp_path: Path) -> None:
    write_published(tmp_path)
    for word in ("sadtalker_256", "sadtalker_old"):
        states = load_together(found(tmp_path, word).paths, model="SadTalker", only=NETWORKS)
        assert set(states) == set(NETWORKS)
        assert states["mapping"].keys() == {"first.0.weight", "fc_roll.weight"}


def write_published(root: Path) -> None:
    """The names that tell the release's files apart, one number each."""
    conv, plane = torch.zeros(1, 1, 1, 1), torch.zeros(1, 1)
    mark = torch.zeros(1, 1, 1, 1, 1)
    render = {"generator": {"dense_motion_network.mask.weight": mark}}
    points = {"predictor.down_blocks.down0.conv.weight": conv}
    expression = {"audio_encoder.0.conv_block.0.weight": conv, "mapping1.weight": plane}
    pose = {"audio_encoder.audio_encoder.0.conv_block.0.weight": conv, "netG.encoder.classbias": plane}
    package = {"kp_extractor": points, **render, "audio2exp": expression, "audio2pose": pose}
    flat = {f"{network}.{key}": value for network, state in package.items() for key, value in state.items()}
    flat = {key: value.clone() for key, value in flat.items()}
    put(root, POINTS)
    write_safetensors(root / PACKAGE, flat, {})
    torch.save({"mapping": {"first.0.weight": torch.zeros(1, 1, 1), "fc_roll.weight": plane}}, root / MAPPING_70)
    torch.save({"kp_detector": points, **render, "he_estimator": {"w": plane}, "epoch": 3}, root / OLD[0])
    torch.save({"model": expression, "epoch": 3}, root / OLD[1])
    torch.save({"model": pose, "epoch": 3}, root / OLD[2])
    torch.save({"net_recon": {"backbone.conv1.weight": conv}}, root / OLD[3])


def test_a_name_fetches_all_its_files() -> None:
    fetched = [entry.file for entry in load_catalogue().entries_for("sadtalker_512_full")]
    assert fetched == [PACKAGE.replace("256", "512"), MAPPING_73, POINTS]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("  parts: [x, nobody]", "nobody is no entry of M"),
        ("  parts: [other]", "other is no entry of M"),
        ("  parts: []", "y.parts"),
        ("  parts: [x]\n  suits: {size: 3}", "y.suits"),
        ("  parts: [x]\n  sources: []", "y.sources"),
    ],
)
def test_faulty_assemblies_are_refused(tmp_path: Path, line: str, words: str) -> None:
    entry = (
        "  variant: v\n  title: t\n  networks: {n: ''}\n"
        "  file: f\n  licence: l\n  sources: [{kind: manual, what: w, where: h}]\n"
    )
    text = f"x:\n  model: M\n{entry}other:\n  model: O\n{entry}y:\n  model: M\n  variant: v\n  title: t\n{line}\n"
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_catalogue(tmp_path / "bad.yaml")
