"""The catalogue is complete and strict; the file that a command means is found, or its absence explained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from talkingface.errors import ConfigError, UnknownNameError, WeightsError
from talkingface.weights import Catalogue, describe_missing, load_catalogue, resolve, status
from talkingface.weights.load import save_networks

from .conftest import States

FOM_FILES = {
    "fom_vox_256": "vox-cpk.pth.tar",
    "fom_vox_adv_256": "vox-adv-cpk.pth.tar",
    "fom_taichi_256": "taichi-cpk.pth.tar",
    "fom_taichi_adv_256": "taichi-adv-cpk.pth.tar",
    "fom_fashion_256": "fashion.pth.tar",
    "fom_mgif_256": "mgif-cpk.pth.tar",
    "fom_bair_256": "bair-cpk.pth.tar",
    "fom_nemo_256": "nemo-cpk.pth.tar",
}


@pytest.fixture
def catalogue(tmp_path: Path, states: States, published: object) -> Catalogue:
    """The shipped catalogue with a small file of our own in place of the trained one."""
    ours = tmp_path / "shipped" / "fom.safetensors"
    save_networks(ours, states, {"model": "FOM", "variant": "compact"})
    entries = dict(load_catalogue().entries)
    source = entries["fom_compact"].sources[0].model_copy(update={"path": str(ours)})
    entries["fom_compact"] = entries["fom_compact"].model_copy(update={"sources": (source,)})
    return Catalogue(entries=entries)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return folder


def test_catalogue_describes_the_eight_published_files() -> None:
    entries = load_catalogue().entries
    assert {name: entry.file for name, entry in entries.items() if name in FOM_FILES} == FOM_FILES
    for name, file in FOM_FILES.items():
        entry = entries[name]
        assert entry.sources[0].urls[0].endswith(f"/first-order-model-demo/releases/download/checkpoints/{file}")
        assert set(entry.networks) == {"kp_detector", "generator", "discriminator"}
        assert (entry.size is None) == (entry.sha256 is None)
    assert [name for name, entry in entries.items() if entry.official_default] == ["fom_vox_256"]


WITHOUT_RECORD = {"fom_taichi_256", "fom_taichi_adv_256", "fom_bair_256", "fom_nemo_256"}


def test_every_file_that_is_fetched_is_judged_by_its_whole_sha256_where_a_public_record_has_it() -> None:
    entries = load_catalogue().entries.values()
    fetched = [entry for entry in entries if any(source.kind in ("url", "wheel", "npm") for source in entry.sources)]
    assert {entry.name for entry in fetched if entry.sha256 is None} == WITHOUT_RECORD


def test_every_variant_has_its_settings_file() -> None:
    folder = Path(__file__).resolve().parents[2] / "properties" / "model"
    for entry in load_catalogue().entries.values():
        if not (folder / f"{entry.model}.yaml").is_file():
            continue  # a fixed network that losses look through
        assert (folder / entry.model / f"{entry.variant}.yaml").is_file(), entry.name


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("  sizes: 5", "x.sizes"),
        ("  sha256: abc", "x.sha256"),
        ("  file: ../../etc/passwd", "leaves the checkpoint folder"),
        ("  sources: [{kind: url, urls: ['file:///etc/passwd']}]", "is not a web address"),
        ("  sources: [{kind: ftp}]", "x.sources"),
        ("  licence: !!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_faulty_catalogue_is_refused_by_entry_and_field(tmp_path: Path, line: str, words: str) -> None:
    good = (
        "x:\n  model: M\n  variant: v\n  title: t\n  networks: {n: ''}\n"
        "  file: f\n  licence: l\n  sources: [{kind: manual, what: w, where: h}]\n"
    )
    (tmp_path / "good.yaml").write_text(good)
    assert load_catalogue(tmp_path / "good.yaml")["x"].size is None
    others = [known for known in good.splitlines() if known.split(":")[0] != line.split(":")[0]]
    (tmp_path / "bad.yaml").write_text("\n".join([*others, line, ""]))
    with pytest.raises(ConfigError, match=words):
        load_catalogue(tmp_path / "bad.yaml")


def test_two_official_defaults_of_one_model_are_refused() -> None:
    entry = load_catalogue()["fom_vox_256"]
    with pytest.raises(ValueError, match="more than one official default of FOM"):
        Catalogue(entries={"a": entry, "b": entry})


def test_ours_is_taken_when_nothing_official_is_there(catalogue: Catalogue, root: Path) -> None:
    found = resolve("FOM", None, root, catalogue)
    assert found.entry is not None and found.entry.name == "fom_compact"
    fetch = "--run_mode=fetch --checkpoint=fom_vox_256"
    assert found.label == f"weights: fom_compact (shipped, 0.0 MB; for the published quality: {fetch})"


def test_official_default_comes_before_ours(catalogue: Catalogue, root: Path) -> None:
    (root / "vox-cpk.pth.tar").write_bytes(bytes(2_000_000))
    found = resolve("FOM", None, root, catalogue)
    assert found.path == root / "vox-cpk.pth.tar" and found.label == "weights: fom_vox_256 (2.0 MB)"


def test_a_variant_takes_its_weights_or_says_which_they_are(catalogue: Catalogue, root: Path) -> None:
    compact = resolve("FOM", None, root, catalogue, {"variant": "compact"})
    assert compact.entry is not None and compact.entry.name == "fom_compact"
    with pytest.raises(WeightsError) as error:
        resolve("FOM", None, root, catalogue, {"variant": "vox-adv-256"})
    line = str(error.value)
    assert line.startswith("--variant=vox-adv-256: needs the weights fom_vox_adv_256, and its file ")
    assert "--run_mode=fetch --checkpoint=fom_vox_adv_256" in line and str(root / "vox-adv-cpk.pth.tar") in line
    (root / "vox-adv-cpk.pth.tar").write_bytes(b"x")
    assert resolve("FOM", None, root, catalogue, {"variant": "vox-adv-256"}).path == root / "vox-adv-cpk.pth.tar"
    with pytest.raises(WeightsError, match="--variant=mine: no weights of this variant are known"):
        resolve("FOM", None, root, catalogue, {"variant": "mine"})


def test_published_file_names_are_names(catalogue: Catalogue, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    with pytest.raises(WeightsError, match=r"^fom_vox_adv_256: its file .* --run_mode=fetch"):
        resolve("FOM", "vox-adv-cpk.pth.tar", root / "other", catalogue)
    with pytest.raises(WeightsError, match=r"^old/vox-cpk.pth.tar: no such weight file. Its name here is --chec"):
        resolve("FOM", "old/vox-cpk.pth.tar", root, catalogue)
    assert [entry.name for entry in catalogue.entries_for("vox-cpk.pth.tar")] == ["fom_vox_256"]
    (root / "weights").mkdir()
    (root / "weights" / "vox-adv-cpk.pth.tar").write_bytes(b"x")
    found = resolve("FOM", "vox-adv-cpk.pth.tar", root / "weights", catalogue)
    assert found.path == root / "weights" / "vox-adv-cpk.pth.tar"
    assert found.entry is not None and found.entry.name == "fom_vox_adv_256"


def test_names_and_files_come_before_the_default(catalogue: Catalogue, root: Path) -> None:
    for name in ("vox-cpk.pth.tar", "vox-adv-cpk.pth.tar", "own.safetensors"):
        (root / name).write_bytes(b"x")
    named = resolve("FOM", "fom_vox_adv_256", root, catalogue)
    assert named.path == root / "vox-adv-cpk.pth.tar"
    by_path = resolve("FOM", str(root / "vox-adv-cpk.pth.tar"), root, catalogue)
    assert by_path.entry is not None and by_path.entry.variant == "vox-adv-256"
    assert resolve("FOM", str(root / "own.safetensors"), root, catalogue).entry is None


def test_absent_weights_are_explained(catalogue: Catalogue, root: Path) -> None:
    with pytest.raises(WeightsError, match="--run_mode=fetch --checkpoint=fom_bair_256") as caught:
        resolve("FOM", "fom_bair_256", root, catalogue)
    assert str(root / "bair-cpk.pth.tar") in str(caught.value)
    with pytest.raises(UnknownNameError, match="Did you mean 'fom_vox_256'"):
        resolve("FOM", "fom_vox256", root, catalogue)
    with pytest.raises(WeightsError, match=r"no such weight file.*fom_vox_256"):
        resolve("FOM", "somewhere/else.pth", root, catalogue)
    with pytest.raises(WeightsError, match="belongs to FOM, but --model=SadTalker"):
        resolve("SadTalker", "fom_vox_256", root, catalogue)
    with pytest.raises(WeightsError, match="no weights of Nobody are known"):
        resolve("Nobody", None, root, catalogue)


def test_status_tells_present_missing_and_damaged(catalogue: Catalogue, root: Path, published: object) -> None:
    torch.save(published, root / "vox-cpk.pth.tar")
    whole = (root / "vox-cpk.pth.tar").read_bytes()
    (root / "mgif-cpk.pth.tar").write_bytes(whole[: len(whole) // 2])
    states = {item.entry.name: item.state for item in status(root, catalogue)}
    assert states["fom_vox_256"] == states["fom_compact"] == "present"
    assert states["fom_mgif_256"] == "damaged" and states["fom_bair_256"] == "missing"
    lines = describe_missing(status(root, catalogue))
    present = list(states.values()).count("present")
    assert len(lines) == len(states) - present and all("\n" not in line for line in lines)
    assert any(line.startswith("fom_mgif_256: damaged") and "Delete it." in line for line in lines)


def test_catalogue_and_status_need_no_torch() -> None:
    program = (
        "import sys; from pathlib import Path; from talkingface.weights import status; status(Path('.'))\n"
        "from talkingface.weights.download import fetch; sys.exit('torch' in sys.modules)"
    )
    clone = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=clone, check=False).returncode == 0
