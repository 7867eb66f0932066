"""The wheels of the client and the server, built without a network: their contents, and that the client works alone."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import hepar_client
import pytest
from packaging.requirements import Requirement

import hepar

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "python"
CONTRACTS = sorted(file.stem for file in (ROOT / "hepar" / "contracts").glob("*.py"))


def build(project: Path, folder: Path) -> Path:
    """Returns the wheel."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=project,
        capture_output=True,
        timeout=120,
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def top_level(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name.partition("/")[0] for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(CLIENT, tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's contents, as pip puts them into site-packages."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(folder)], timeout=60, check=True)
    return folder


def run_isolated(installed: Path, code: str) -> str:
    """In a folder without the repository, with the repository's packages hidden."""
    hide = "import sys; sys.modules.update(dict.fromkeys(('hepar', 'gateway', 'training', 'fastapi', 'numpy', 'PIL')))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{hide}\nsys.path.insert(0, {str(installed)!r})\n{code}"],
        cwd=installed,
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_client_wheel_installs_one_package(wheel: Path) -> None:
    assert top_level(wheel) == {"hepar_client", f"hepar_client-{hepar_client.__version__}.dist-info"}


def test_the_server_wheel_installs_the_services_only(tmp_path: Path) -> None:
    assert top_level(build(ROOT, tmp_path)) == {
        "hepar", "gateway", "auth_service", "classify_service", "detect_service", "study_service", "triton_runtime",
        f"hepar-{hepar.__version__}.dist-info",
    }  # fmt: skip


def test_the_client_wheel_works_without_the_repository(installed: Path) -> None:
    modules = [f"hepar_client.contracts.{name}" for name in CONTRACTS if name != "__init__"]
    modules += ["hepar_client.cli.main", "pydicom"]
    code = f"""
import importlib, hepar_client
for name in {modules!r}:
    importlib.import_module(name)
assert hepar_client.__file__.startswith({str(installed)!r})
print("fastapi" in sys.modules and sys.modules["fastapi"], hepar_client.Hepar.__name__)
"""
    assert run_isolated(installed, code) == "None Hepar\n"


def test_the_script_starts_the_command_line(installed: Path) -> None:
    (entry_points,) = installed.glob("*.dist-info/entry_points.txt")
    assert entry_points.read_text().split() == ["[console_scripts]", "hepar", "=", "hepar_client.cli.main:main"]
    assert "metastasis" in run_isolated(installed, "from hepar_client.cli.main import main; main(['--help'])")


def test_the_installed_client_orders_a_series_without_numpy(installed: Path) -> None:
    code = """
from hepar_client.cli.dicom_series import slice_position
import io, pydicom
from pathlib import Path
from pydicom.dataset import Dataset, FileMetaDataset
for name, number in (("a", 2), ("b", 1)):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dataset.SOPClassUID = dataset.SOPInstanceUID = "1.2"
    dataset.SeriesInstanceUID, dataset.InstanceNumber = "1.2.3", number
    Path("series").mkdir(exist_ok=True)
    dataset.save_as(Path("series", name), enforce_file_format=True)
from hepar_client.cli.image_files import find_images
print(*[file.name for file in find_images([Path("series")]).images])
"""
    assert run_isolated(installed, code) == "b a\n"


def test_the_client_needs_nothing_heavy(wheel: Path) -> None:
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    names = {Requirement(line).name for line in project["dependencies"]}
    assert names == {"httpx", "httpx-sse", "pydantic", "tqdm", "filelock", "pydicom"}
    assert "optional-dependencies" not in project


def test_client_and_server_have_one_version_and_one_copy_of_the_contracts(wheel: Path) -> None:
    assert hepar_client.__version__ == hepar.__version__
    link = CLIENT / "hepar_client" / "contracts"
    assert link.is_symlink()
    assert link.readlink() == Path("../../../hepar/contracts")
    assert (CLIENT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        for name in CONTRACTS:
            content = archive.read(f"hepar_client/contracts/{name}.py")
            assert content == (ROOT / "hepar" / "contracts" / f"{name}.py").read_bytes()


def test_the_source_distribution_is_complete(tmp_path: Path, wheel: Path) -> None:
    """A wheel built from it has the same files."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)],
        cwd=CLIENT,
        capture_output=True,
        timeout=120,
        check=True,
    )
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 of Debian 12 has none
        opened.extractall(tmp_path)  # noqa: S202  it was made above
    rebuilt = build(tmp_path / archive.name.removesuffix(".tar.gz"), tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(rebuilt) as second:
        assert first.namelist() == second.namelist()
