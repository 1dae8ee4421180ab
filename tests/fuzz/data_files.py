"""Readers of settings, lists, data sets, caches and saved states."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import lmdb
import numpy as np
import torch
from torch import nn

from talkingface.config import load_settings
from talkingface.data.cache.store import read_shard, write_shard
from talkingface.data.lmdb.environment import open_mel
from talkingface.data.lmdb.store import LMDBStore
from talkingface.data.lmdb.write import LMDBWriter, content_digest, encode_frame, write_lists
from talkingface.data.preload import PackedStore, preload
from talkingface.data.prepare.files import Manifest, Record
from talkingface.data.prepare.steps.lists import from_hdtf
from talkingface.data.prepare.steps.vox import from_metadata, read_annotation
from talkingface.data.stores import CLIP_LIST, FrameStore, VideoStore
from talkingface.paths import shipped
from talkingface.train import state
from talkingface.train.state_facts import AVERAGE, FACTS, NETWORKS, OPTIMIZERS
from talkingface.weights.catalogue import load_catalogue

from .registry import reader


@reader("settings", lambda path: load_settings([f"--config={path}"]), tells_all=True)
def settings_file(folder: Path) -> Path:
    text = "model: FOM\nfps: 30000/1001\nquality: low\ntrain:\n  batch_size: 4\n  scales: [1, 0.5]\n"
    (folder / "s.yaml").write_text(text)
    return folder / "s.yaml"


@reader("catalogue of weights", load_catalogue.__wrapped__)
def catalogue_file(folder: Path) -> Path:
    text = shipped("properties", "checkpoints.yaml").read_text(encoding="utf-8")
    (folder / "c.yaml").write_text(text[text.index("fom_compact:") : text.index("styleheat_compact:")])
    return folder / "c.yaml"


@reader("clips.csv", lambda path: VideoStore(path.parent, "train").clips())
def clip_list(folder: Path) -> Path:
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_bytes(b"")
    lines = ["file,split,identity,frames,fps,has_audio,sync", "a.mp4,train,p,9,25,1,ok", "b.mp4,train,q,8,30/1,0,"]
    (folder / CLIP_LIST).write_text("\n".join(lines) + "\n")
    return folder / CLIP_LIST


@reader("lists of HDTF", lambda path: from_hdtf(path.parent, path.parent, {}))
def hdtf_list(folder: Path) -> Path:
    (folder / "WDA_video_url.txt").write_text("Ann_000.mp4 https://example.org/v\n")
    (folder / "WDA_resolution.txt").write_text("Ann_000.mp4 720\n")
    (folder / "WDA_crop_wh.txt").write_text("Ann_000_0.mp4 10 400 20 400\nAnn_000_1.mp4 10 400 20 400\n")
    (folder / "WDA_annotion_time.txt").write_text("Ann_000.mp4 00:10-00:20 01:00-01:09\n")
    return folder / "WDA_annotion_time.txt"


@reader("table of VoxCeleb", lambda path: from_metadata(path, path.parent, {}))
def vox_table(folder: Path) -> Path:
    row = "id10001,abc,10,90,11-22-333-344,25.0,640,480,train"
    (folder / "vox.csv").write_text(f"person_id,video_id,start,end,bbox,fps,width,height,partition\n{row}\n{row}\n")
    return folder / "vox.csv"


@reader("annotations of VoxCeleb", lambda path: read_annotation(path, 2, 640, 480))
def vox_annotation(folder: Path) -> Path:
    (folder / "a.txt").write_text("Identity : id1\nFRAME X Y W H\n000001 0.1 0.2 0.3 0.4\n000002 0.1 0.2 0.3 0.4\n")
    return folder / "a.txt"


def _read_lmdb(path: Path) -> object:
    store = LMDBStore(path.parents[1], "train")
    frames = [store.whole(clip) for clip in store.clips()]
    rows = [store.array(clip, name, range(clip.frames)) for clip in store.clips() for name in store.arrays()]
    with LMDBWriter(path.parents[1], 32) as writer:
        writer.write("new", [encode_frame(np.zeros((32, 32, 3), np.uint8), 32)])
    return frames, rows, content_digest(path.parent)


def _clips(root: Path) -> Path:
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    with LMDBWriter(root, 32) as writer:
        for name, count in (("a#1", 3), ("b#2", 2)):
            rows = np.ones((count, 260), np.float32)
            writer.write(name, [encode_frame(picture, 32)] * count, coefficients=rows)
    write_lists(root, {"train": ["a#1", "b#2"]})
    return root


@reader("LMDB", _read_lmdb)
def lmdb_file(folder: Path) -> Path:
    return _clips(folder) / "32" / "data.mdb"


@reader("list of an LMDB", lambda path: LMDBStore(path.parent, "train").clips())
def lmdb_list(folder: Path) -> Path:
    return _clips(folder) / "train_list.txt"


@reader("LMDB, table", lambda path: open_mel(path.parent).rows("a"))
def lmdb_table(folder: Path) -> Path:
    with lmdb.open(str(folder), map_size=2**20) as env, env.begin(write=True) as transaction:
        transaction.put(b"a", np.ones((3, 80)).tobytes())
    return folder / "data.mdb"


def _read_shard(path: Path) -> object:
    shard = read_shard(path)
    return [shard.frame(index) for index in range(len(shard))]


@reader("cache of faces", _read_shard)
def shard_file(folder: Path) -> Path:
    frames = [np.full((16, 16, 3), 90, np.uint8)] * 2
    mesh, angles = np.ones((2, 468, 3), np.float32), np.ones((2, 3), np.float32)
    write_shard(folder / "s.safetensors", "clip", "person", frames, [0, 4], mesh, angles)
    return folder / "s.safetensors"


def _read_packed(path: Path) -> object:
    store = PackedStore(path.parent)
    return [store.frames(clip, range(clip.frames)).sum() for clip in store.clips()]


@reader("decoded frames", _read_packed)
def packed_index(folder: Path) -> Path:
    from train.tiny import write_clips

    preload(FrameStore(write_clips(folder / "clips", clips=2, frames=2)), 16, folder / "packed")
    return next((folder / "packed").rglob("index.json"))


@reader("manifest of the preparation", lambda path: Manifest(path).superseded())
def manifest_file(folder: Path) -> Path:
    manifest = Manifest(folder / "crop.jsonl")
    for name in ("a", "b"):
        manifest.add(Record(name, "done", "0" * 8, facts={"frames": 3}))
    return folder / "crop.jsonl"


def _networks() -> tuple[nn.ModuleDict, dict[str, torch.optim.Optimizer]]:
    networks = nn.ModuleDict({"net": nn.Linear(2, 3)})
    return networks, {"main": torch.optim.Adam(networks.parameters(), lr=1e-3)}


def _read_state(path: Path) -> object:
    return state.load(path.parent, *_networks())


def _saved_state(folder: Path, name: str) -> Path:
    """File of a state without digests, so that all of its reader is reached."""
    networks, optimizers = _networks()
    networks["net"](torch.ones(1, 2)).sum().backward()
    optimizers["main"].step()
    facts = {"step": 3, "model": "M", "best": [0.1, "step-1"], "settings": {"seed": 1}}
    target = folder / "step-00000003"
    with state.saving(target, networks, {"net": dict(networks["net"].state_dict())}, optimizers, facts):
        pass
    known = {key: value for key, value in state.read_facts(target).items() if key not in ("files", "digest")}
    (target / FACTS).write_text(json.dumps(known, indent=1), encoding="utf-8")
    return target / name


def _state_reader(name: str) -> Callable[[Path], Path]:
    return lambda folder: _saved_state(folder, name)


for _name in (FACTS, NETWORKS, AVERAGE, OPTIMIZERS):
    reader(f"state, {_name}", _read_state)(_state_reader(_name))
