"""Names out of data stay below their folder, and every join of a folder with such a name goes through `inside`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from path_joins import Known, joins

from talkingface.errors import PathError
from talkingface.paths import CLONE, PACKAGE, inside, plain_name

FILES = sorted(path for folder in (PACKAGE, CLONE / "scripts", CLONE / "examples") for path in folder.rglob("*.py"))

REGISTERED = "the name of a registered model"
ONE_OF_THESE = "one of the files in that folder, by its list"
OURS = "a word or number that the program makes, not one out of data"
STEMS = "made of the last parts of paths that the user names, which hold no slash"
CHECKED = "its schema takes names that stay below alone"
ALLOWED = {
    "config/layers.py: registry.entry(model).properties / f'{model}.yaml'": REGISTERED,
    "config/layers.py: folder / f'{dataset}.yaml'": ONE_OF_THESE,
    "config/layers.py: shipped(*Path(str(item.value)).parts)": "a data set's settings say where it is; it is only read",
    "config/model.py: registry.entry(model).properties / model": REGISTERED,
    "config/model.py: registry.entry(model).properties / model / f'{variant}.yaml'": ONE_OF_THESE,
    "data/features.py: folder / tools.space": "a word of the schema",
    "data/features.py: home / f'{root.name}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}'": STEMS,
    "data/lmdb/store.py: root / str(self.resolution)": OURS,
    "data/lmdb/write.py: root / str(resolution)": OURS,
    "data/preload.py: folder / _key(store, size)": STEMS,
    "data/prepare/chain.py: self.folders.manifests / f'{crop.name}.jsonl'": OURS,
    "data/prepare/chain.py: self.folders.manifests / f'{name}.jsonl'": OURS,
    "data/prepare/chain.py: self.folders.manifests / f'{step.name}.jsonl'": OURS,
    "data/prepare/files.py: root / known.path": "compared alone; raw videos lie outside of the data set",
    "data/prepare/run_step.py: manifests / f'{step.name}.jsonl'": OURS,
    "data/prepare/step.py: root / known": "goes to `inside` in the next line",
    "data/prepare/steps/download.py: folder / f'video{video.path.suffix}'": "an ending holds no slash",
    "evaluation/results/unfinished.py: self._folder / f'{number}.safetensors'": OURS,
    "face/crop/video.py: self.folder / f\"{name}{('' if number == 1 else f'_{number}')}{ending}\"": STEMS,
    "face/detect/debug.py: debug_dir / f'{where.stem or where.name}_no_face.png'": STEMS,
    "face3d/fit/bfm.py: folder / name": OURS,
    "jobs/compare.py: (settings.output_dir or Path('results')) / 'compare' / f'{_names(settings)}.mp4'": STEMS,
    "jobs/compare.py: folder / f'{number}.mp4'": OURS,
    "jobs/evaluate.py: Path('runs') / f'videos_{settings.made[0].resolve().name}'": STEMS,
    "jobs/data.py: Path('runs') / f'{settings.model}_{name}'": STEMS,
    "jobs/evaluate.py: folder / name": OURS,
    "media/keep/folder.py: self.path / name": OURS,
    "media/keep/folder.py: target.absolute().parent / f'{_stem(target)}{key[:16]}'": STEMS,
    "media/keep/names.py: Path(tempfile.gettempdir()) / f'talkingface-names-{name}.lock'": OURS,
    "media/keep/store.py: self.path / f'{number:06d}{ending}'": OURS,
    "media/keep/writer.py: self._part.path / FRAME_NAME.format(0)": OURS,
    "media/keep/writer.py: self._store.path / f'{_SOUND}{self._ending_of_name}'": OURS,
    "media/writer.py: self._part.path / FRAME_NAME.format(self.frames)": OURS,
    "ops/build.py: root / 'talkingface' / 'ops' / f'{recipe.kind}-{recipe.key}'": OURS,
    "part_files.py: folder / f'{PREFIX}{owner()}-{secrets.token_hex(6)}{ending}'": "an ending holds no slash",
    "paths.py: (CLONE if in_clone() else PACKAGE / '_shipped').joinpath(*parts)": "its callers are looked at",
    "paths.py: root.joinpath(*names)": "this is `inside`",
    "pipelines/read/coefficient_cache.py: PACKAGE / name": OURS,
    "pipelines/plan/options.py: Path('results') / settings.model": REGISTERED,
    "pipelines/plan/inputs.py: folder / f\"{stem}{('' if number == 1 else f'_{number}')}{ending}\"": STEMS,
    "pipelines/plan/inputs.py: folder / stem": STEMS,
    "train/checkpoints.py: self._folder / 'export' / f'{name}.safetensors'": OURS,
    "train/checkpoints.py: run_dir / name": OURS,
    "train/state.py: folder / name": "the name of a folder that is there",
    "train/state_facts.py: folder / name": OURS,
    "train/checkpoints.py: folder.parent / self.best[1]": "`read_facts` takes names of states alone",
    "weights/catalogue.py: shipped(*Path(paths[0]).parts)": CHECKED,
    "weights/files/numpyfile.py: path / f'{name}.npz'": OURS,
    "weights/files/read.py: path / f'{name}.npz'": OURS,
    "weights/resolve.py: beside / Path(part.file).name": CHECKED,
    "scripts/build_cache.py: arguments.cache / arguments.split": "a flag",
    "scripts/make_sample_media.py: output / plan.file": OURS,
    "scripts/recipes/student.py: recipe.cache / split": OURS,
    "scripts/recipes/student.py: recipe.run_dir / part.name": OURS,
    "scripts/recipes/stages.py: recipe.cache / split": OURS,
    "scripts/recipes/stages.py: recipe.run_dir / stage.name": OURS,
    "scripts/train_compact.py: CLONE / 'runs' / arguments.model.lower()": "one of two names",
    "scripts/sample_media/clips.py: root / plan.file": OURS,
    "scripts/sample_media/lmdb_form.py: target / str(SIDE)": OURS,
}
"""Joins that do not use `inside`: file and expression -> reason."""


def test_what_stays_below_is_joined(tmp_path: Path) -> None:
    assert inside(tmp_path, "train", "anna#01.mp4") == tmp_path / "train" / "anna#01.mp4"
    assert inside(tmp_path, "a/b", "..c") == tmp_path / "a" / "b" / "..c"
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    (tmp_path / "real" / "link").symlink_to("there")
    assert inside(tmp_path / "root", "link") == tmp_path / "root" / "link", "links within the folder are fine"


@pytest.mark.parametrize(
    "names",
    [
        ("../x",),
        ("a/../../x",),
        ("a", "..", "b"),
        ("/etc/passwd",),
        ("a", "/etc/passwd"),
        ("",),
        (".",),
        ("train", ""),
        ("a\0b",),
        ("\ud800",),
        ("x" * 256,),
        ("out/x",),
        ("file",),
        ("circle/x",),
    ],
    ids=repr,
)
def test_what_leads_outside_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    (root / "file").symlink_to("/etc/passwd")
    (root / "circle").symlink_to("circle")
    with pytest.raises(PathError, match=r"^list, line 3: the name ") as caught:
        inside(root, *names, where="list, line 3")
    assert str(caught.value).isprintable()


def test_links_of_the_user_may_lead_anywhere(tmp_path: Path) -> None:
    (tmp_path / "weights").symlink_to("/")
    assert inside(tmp_path, "weights", own_links=True) == tmp_path / "weights"
    with pytest.raises(PathError):
        inside(tmp_path, "weights/../..", own_links=True)


@pytest.mark.parametrize("name", ["anna", "Anna 2", "-bcdefghijk", "id10001", "weiß", "a.b", "x" * 128])
def test_plain_names_are_taken(name: str) -> None:
    assert plain_name(name, "identity") == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../../x", "a/b", "a\\b", ".part-1", " a", "a ", "a\nb", "a\0", "a\x1b[1m", "x" * 129, "a#b"],
)
def test_other_names_are_no_plain_names(name: str) -> None:
    with pytest.raises(PathError, match=r"^list, line 3: the identity ") as caught:
        plain_name(name, "identity", where="list, line 3", banned="#")
    assert str(caught.value).isprintable()


def test_every_join_with_a_name_out_of_data_uses_inside() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in FILES}
    known = Known([ast.parse(text) for text in texts.values()])
    found = {
        f"{path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else CLONE).as_posix()}: {join}"
        for path, text in texts.items()
        for join in joins(text, known)
    }
    assert sorted(found - ALLOWED.keys()) == [], "use talkingface.paths.inside, or say here why not"
    assert sorted(ALLOWED.keys() - found) == [], "these joins are gone"


@pytest.mark.parametrize(
    "line",
    [
        "folder / name",
        "folder / 'train' / row['file']",
        "self.clips / f'{item.name}.mp4'",
        "folder.parent / record.path",
        "folder.joinpath(name)",
        "Path(folder, name)",
        "folder.with_name(name)",
        "(given or folder) / name",
        "[path / name for path in folder.iterdir()]",
        "anything(x) / f'{name}.npz'",
        "made / name",
        "folder / '../x'",
        "os.path.join(folder, name)",
    ],
)
def test_joins_are_found(line: str) -> None:
    head = "class A:\n    clips: Path\n    def f(self, folder: Path, given, name):\n        made = folder / 'x'"
    text = f"{head}\n        {line}\n"
    assert list(joins(text, Known([ast.parse(text)]))) != []


@pytest.mark.parametrize(
    "line",
    [
        "folder / 'x.txt'",
        "folder / DATA_FILE",
        "folder / keys.DATA_FILE",
        "folder / f'step-{step:08d}'",
        "folder / f'.{secrets.token_hex(4)}.part'",
        "rows / rows.sum()",
        "inside(folder, name)",
        "(right - left) / width",
    ],
)
def test_fixed_names_and_numbers_are_left_alone(line: str) -> None:
    text = f"def f(folder: Path, rows, name, step, left, right, width):\n    {line}\n"
    assert list(joins(text, Known([ast.parse(text)]))) == []
