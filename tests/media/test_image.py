"""Pictures of every kind become upright RGB uint8; what cannot be read is one clear line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from talkingface.errors import MediaError, ShapeError
from talkingface.media.image import center_square, over_background, read_image, resize, write_image
from talkingface.media.probe import describe

from .clips import smooth_frames

PICTURE = smooth_frames(1, 40, 60)[0]


@pytest.mark.parametrize("ending", ["png", "webp", "bmp", "tif"])
def test_exact_formats_round_trip(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"a b 'c' %d ü.{ending}"
    Image.fromarray(PICTURE).save(file, **({"lossless": True} if ending == "webp" else {}))
    assert np.array_equal(read_image(file), PICTURE)


@pytest.mark.parametrize("ending", [".png", ".webp", ".bmp"])
def test_written_pictures_are_exact_and_leave_no_part(tmp_path: Path, ending: str) -> None:
    file = write_image(tmp_path / "new folder" / f"x{ending}", PICTURE)
    assert np.array_equal(read_image(file), PICTURE)
    assert [found.name for found in file.parent.iterdir()] == [file.name]


def test_jpg_is_close(tmp_path: Path) -> None:
    back = read_image(write_image(tmp_path / "x.jpg", PICTURE))
    assert np.abs(back.astype(int) - PICTURE).mean() < 2


def test_exif_orientation_is_obeyed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    Image.fromarray(PICTURE).save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "x.png"), np.rot90(PICTURE, -1))


def test_transparent_parts_become_white(tmp_path: Path) -> None:
    rgba = np.dstack([PICTURE, np.full(PICTURE.shape[:2], 255, np.uint8)])
    rgba[:, :30, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "x.png")
    picture = read_image(tmp_path / "x.png")
    assert (picture[:, :30] == 255).all() and np.array_equal(picture[:, 30:], PICTURE[:, 30:])


def test_half_transparent_black_is_middle_grey() -> None:
    assert over_background(np.array([[[0, 0, 0, 128]]], np.uint8)).tolist() == [[[127, 127, 127]]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK"])
def test_every_colour_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    file = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    Image.fromarray(PICTURE).convert(mode).save(file)
    picture = read_image(file)
    assert picture.shape == PICTURE.shape and picture.dtype == np.uint8
    if mode == "CMYK":
        assert np.abs(picture.astype(int) - PICTURE).max() <= 2


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_sixteen_bit_grey_is_scaled(tmp_path: Path, ending: str) -> None:
    Image.fromarray(np.array([[0, 0x8081, 0xFFFF]], np.uint16)).save(tmp_path / f"x.{ending}")
    assert read_image(tmp_path / f"x.{ending}")[0, :, 0].tolist() == [0, 128, 255]


def test_gif_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "x.gif")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"this is text, not a picture", "not a picture"), (b"\x89PNG\r\n\x1a\n" + b"x" * 50, "picture")],
)
def test_files_that_are_no_pictures(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(MediaError, match=words) as caught:
        read_image(tmp_path / "x.png")
    assert "\n" not in str(caught.value) and "x.png" in str(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_pictures_raise_nothing_but_media_errors(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for ending in ("png", "jpg", "webp", "bmp", "tif", "gif"):
        file = tmp_path / f"x.{ending}"
        Image.fromarray(PICTURE).save(file)
        whole = file.read_bytes()
        for _ in range(40):
            broken = bytearray(whole[: rng.integers(1, len(whole) + 1)])
            for place in rng.integers(0, len(broken), 5):
                broken[place] = rng.integers(256)
            file.write_bytes(broken)
            try:
                assert read_image(file).dtype == np.uint8
            except MediaError as error:
                assert "\n" not in str(error)


def test_missing_file_folder_and_size_limit(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(MediaError, match="folder"):
        read_image(tmp_path)
    Image.fromarray(PICTURE).save(tmp_path / "x.png")
    with pytest.raises(MediaError, match="60x40 pixels exceed"):
        read_image(tmp_path / "x.png", max_pixels=2399)
    assert read_image(tmp_path / "x.png", max_pixels=2400).shape == (40, 60, 3)


def test_writing_refuses_other_endings_and_shapes(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"\.png"):
        write_image(tmp_path / "x.xyz", PICTURE)
    with pytest.raises(ShapeError):
        write_image(tmp_path / "x.png", PICTURE[..., 0])


def test_shrinking_averages_instead_of_aliasing() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    small = resize(stripes, (16, 16))
    assert small.shape == (16, 16, 3) and np.abs(small[4:-4, 4:-4].astype(int) - 128).max() < 12


def test_center_square_of_both_orientations() -> None:
    assert np.array_equal(center_square(PICTURE), PICTURE[:, 10:50])
    assert center_square(np.ascontiguousarray(PICTURE[:, :21])).shape == (21, 21, 3)


@pytest.mark.parametrize(
    ("ending", "kind"),
    [("ppm", "netpbm"), ("jp2", "JPEG 2000"), ("ico", "icon"), ("dds", "DDS"), ("sgi", "SGI"), ("eps", "PostScript")],
)
def test_pictures_of_other_kinds_are_called_pictures(tmp_path: Path, ending: str, kind: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (64, 64), "red").save(path)
    with pytest.raises(MediaError, match=rf"a picture of a kind that is not read \({kind}\)\. Save it as png"):
        describe(path)
