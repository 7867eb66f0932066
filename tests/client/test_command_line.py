"""The command line `hepar` as processes with the running stack: commands, folders, outputs and exit codes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.hepar_command import PASSWORD, HeparCommand
from tests.support.pictures import ct_dataset, dicom_bytes, encoded, gradient

PICTURE = encoded(gradient(128, 128))


def ct_slice(instance_number: int | None = None, series: str = "1.2.3") -> bytes:
    dataset = ct_dataset(np.tile(np.linspace(-100, 300, 80).astype(np.int32), (80, 1)))
    dataset.SeriesInstanceUID = series
    if instance_number is not None:
        dataset.InstanceNumber = instance_number
    return dicom_bytes(dataset)


def sent_files(stdout: str) -> list[str]:
    return [Path(json.loads(line)["file"]).name for line in stdout.splitlines()]


def test_login_whoami_models_and_logout(command: HeparCommand) -> None:
    assert command("whoami").returncode == 4, "sign in first"
    login = command("login", command.email)
    assert (login.returncode, "Signed in" in login.stdout) == (0, True)
    assert command.token_file.stat().st_mode & 0o077 == 0
    assert PASSWORD not in command.token_file.read_text()
    assert command("whoami").stdout == f"{command.email}, researcher\n"
    assert "classify_tiny" in command("models").stdout
    assert command("logout").returncode == 0
    assert command("whoami").returncode == 4
    assert command("login", command.email, HEPAR_PASSWORD="a wrong but long one").returncode == 4
    assert command("login").returncode == 2


def test_a_slash_at_the_end_of_the_address_makes_no_difference(signed_in: HeparCommand) -> None:
    assert signed_in("--url", f"{signed_in.url}/", "whoami").returncode == 0


def test_a_series_and_a_folder_come_in_order_with_tables_and_pictures(signed_in: HeparCommand, tmp_path: Path) -> None:
    """Twelve slices whose names have another order than their instance numbers."""
    (tmp_path / "series").mkdir()
    for number in range(1, 13):
        (tmp_path / "series" / f"IMG{(number * 7) % 13:04d}").write_bytes(ct_slice(number))
    (tmp_path / "pictures").mkdir()
    for name in ("slice10.png", "slice9.png"):
        (tmp_path / "pictures" / name).write_bytes(PICTURE)
    out, table = tmp_path / "out", tmp_path / "table.csv"
    done = signed_in("analyse", tmp_path / "series", tmp_path / "pictures", "--csv", table, "--json", "--annotate", out)
    assert (done.returncode, done.stderr) == (0, "")
    expected = [f"IMG{(number * 7) % 13:04d}" for number in range(1, 13)] + ["slice9.png", "slice10.png"]
    assert sent_files(done.stdout) == expected
    with table.open() as opened:
        rows = list(csv.DictReader(opened))
    assert [Path(row["file"]).name for row in rows] == expected
    assert {(row["label"], row["boxes"], row["problem"]) for row in rows} == {("metastasis", "1", "")}
    assert rows[0]["longest_mm"] != ""
    for kind in ("boxes", "activation-map"):
        pictures = list(out.glob(f"*-{kind}.png"))
        assert len(pictures) == len(expected)
        assert Image.open(pictures[0]).size[0] > 60


def test_pictures_of_files_with_uids_as_names_keep_the_whole_name(signed_in: HeparCommand, tmp_path: Path) -> None:
    for name in ("1.2.840.1", "1.2.840.2"):
        (tmp_path / name).write_bytes(ct_slice())
    files = [tmp_path / "1.2.840.1", tmp_path / "1.2.840.2"]
    assert signed_in("detect", *files, "--annotate", tmp_path / "out").returncode == 0
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["1.2.840.1-boxes.png", "1.2.840.2-boxes.png"]


@pytest.mark.parametrize(
    "names",
    [
        ("1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"),
        ("IM.001", "IM.002"),
        ("CT000001.IMA", "a file without suffix"),
        ("image.dcm.bak", "scan.txt"),
        (".hidden", "slice~"),
    ],
)
def test_dicom_is_found_whatever_its_name(signed_in: HeparCommand, tmp_path: Path, names: tuple[str, str]) -> None:
    folder = tmp_path / "study" / "deep"
    folder.mkdir(parents=True)
    for number, name in enumerate(names, start=1):
        (folder / name).write_bytes(ct_slice(number))
    done = signed_in("classify", tmp_path / "study", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert sent_files(done.stdout) == list(names)


def test_skipped_files_are_named_and_counted_and_change_the_exit_code(signed_in: HeparCommand, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "good").write_bytes(PICTURE)
    (folder / "report.pdf").write_bytes(b"%PDF-1.7 report")
    (folder / "notes").write_text("not an image")
    done = signed_in("classify", folder, "--json")
    assert done.returncode == 1
    assert sent_files(done.stdout) == ["good"]
    assert done.stderr.splitlines() == [
        f"skipped {folder / 'notes'}: not an image",
        f"skipped {folder / 'report.pdf'}: not an image",
        "2 skipped, 1 to send",
    ]


def test_a_damaged_file_among_good_ones_is_sent_and_has_its_problem(signed_in: HeparCommand, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"not an image")
    (tmp_path / "cut").write_bytes(ct_slice()[:-2000])
    (tmp_path / "good.png").write_bytes(PICTURE)
    done = signed_in("classify", tmp_path / "bad.png", tmp_path / "cut", tmp_path / "good.png")
    assert done.returncode == 1
    bad, cut, good, notice = done.stdout.splitlines()
    assert "bad.png: The format is not supported" in bad
    assert "cut: The file is not a readable image" in cut
    assert "good.png: metastasis" in good
    assert "not a medical device" in notice
    detected = json.loads(signed_in("detect", tmp_path / "bad.png", "--json").stdout)
    assert (detected["detection"]["status"], "classification" in detected) == (415, False)


def test_an_unreadable_file_has_its_reason(signed_in: HeparCommand, tmp_path: Path) -> None:
    """A path whose reading fails for root as well."""
    (tmp_path / "good.png").write_bytes(PICTURE)
    done = signed_in("classify", "/proc/self/mem", tmp_path / "good.png", "--json")
    assert done.returncode == 1
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["unreadable"].startswith("cannot be read")
    assert second["classification"]["label"] == "metastasis"


def test_a_table_on_standard_output(signed_in: HeparCommand, tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(PICTURE)
    (row,) = csv.DictReader(io.StringIO(signed_in("detect", tmp_path / "good.png", "--csv", "-").stdout))
    assert (row["boxes"], row["outcome"]) == ("1", "")


def test_wrong_use_and_a_missing_gateway_have_exit_codes_of_their_own(command: HeparCommand, tmp_path: Path) -> None:
    assert command("classify", tmp_path / "nothing.png").returncode == 2
    assert command("frobnicate").returncode == 2
    (tmp_path / "empty").mkdir()
    empty = command("classify", tmp_path / "empty")
    assert (empty.returncode, "no image" in empty.stderr) == (2, True)
    (tmp_path / "x.png").write_bytes(PICTURE)
    away = command("classify", tmp_path / "x.png", HEPAR_URL="http://127.0.0.1:9")
    assert (away.returncode, "http://127.0.0.1:9" in away.stderr) == (3, True)
    assert command("whoami", HEPAR_URL="http://host:port").returncode == 2
    assert command("classify", tmp_path / "x.png").returncode == 4
    command("login", command.email)
    nowhere = command("classify", tmp_path / "x.png", "--csv", tmp_path / "missing" / "table.csv")
    assert (nowhere.returncode, "Traceback" in nowhere.stderr) == (2, False)
