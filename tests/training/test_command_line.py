"""The command line of `python -m training`: options, error messages and exit statuses."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic_settings import CliApp, get_subcommand

from tests.training.support import REPOSITORY
from training.__main__ import main
from training.commands.command_line import CommandLine
from training.commands.context import Command
from training.commands.data import Explore, Prepare
from training.commands.ensembles import EvaluateVolumes, MeasureScale
from training.commands.models import Train
from training.commands.versions import Promote
from training.networks import NETWORKS


def parsed(*arguments: str) -> Command:
    command = get_subcommand(CliApp.run(CommandLine, cli_args=list(arguments)))
    assert isinstance(command, Command)
    return command


def test_options_of_the_run_come_before_the_command() -> None:
    command_line = CliApp.run(
        CommandLine, cli_args=["--configuration", "smoke", "--folder", "a", "--repository", "b", "train", "all"]
    )
    assert command_line.configuration == "smoke"
    assert (command_line.folder, command_line.repository) == (Path("a"), Path("b"))
    assert command_line.train == Train(network="all")


def test_repeated_options_are_collected() -> None:
    command = parsed("explore", "--source", "yolo=/a", "--source", "lits=/b", "--every-nth", "2")
    assert command == Explore(source=["yolo=/a", "lits=/b"], every_nth=2)
    volumes = parsed("volumes", "--volume", "ct.nii.gz=labels.nii.gz", "--volume", "series", "--out", "x.json")
    assert volumes == EvaluateVolumes(volume=["ct.nii.gz=labels.nii.gz", "series"], out=Path("x.json"))


def test_the_scale_may_be_measured_on_fewer_images() -> None:
    assert parsed("scale", "--every-nth", "30") == MeasureScale(every_nth=30)


def test_flags_have_no_value() -> None:
    assert parsed("prepare", "--collection", "--fold", "1/5") == Prepare(collection=True, fold="1/5")
    assert parsed("promote", "m", "2", "--shadow") == Promote(model="m", version="2", shadow=True)


def test_an_environment_variable_does_not_change_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("folder", "/elsewhere")
    monkeypatch.setenv("configuration", "full")
    command_line = CliApp.run(CommandLine, cli_args=["train", "all"])
    assert (command_line.folder, command_line.configuration) == (None, "compact")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train classify_vgg", "train network: unknown network 'classify_vgg'; known: check_input, classify_densenet"),
        ("cross-validate all", "cross-validate network: unknown network 'all'"),
        ("cross-validate classify_unet --folds 2", "greater than or equal to 3"),
        ("prepare --fold 6/5", "prepare fold: '6/5' is not I/K, the I-th of K folds"),
        ("prepare --fold one", "prepare fold: 'one' is not I/K, the I-th of K folds"),
        ("prepare --split a.json", "--split and --leave-out need --collection"),
        ("prepare --collection --fold 1/5 --leave-out lits", "--split, --fold and --leave-out exclude each other"),
        ("promote m 0", "promote version: String should match pattern"),
        ("promote m 2 --weight 1.5", "promote weight: Input should be less than or equal to 1"),
        ("promote m 2 --weight 0.5 --shadow", "--weight and --shadow exclude each other"),
        ("explore --source yolo=/a --every-nth 0", "explore every-nth: Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_argument_is_one_line_that_names_it(
    capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    assert main(shlex.split(arguments)) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


@pytest.mark.parametrize("arguments", ["retrain all", "train", "explore", "train all --fast"])
def test_an_unknown_or_missing_argument_ends_with_the_usage(capsys: pytest.CaptureFixture[str], arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(arguments))
    assert ended.value.code == 2
    assert "usage: python -m training" in capsys.readouterr().err


def test_without_a_command_the_help_lists_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    help_text = capsys.readouterr().err
    for name in CommandLine.model_fields:
        assert name.replace("_", "-") in help_text


def test_an_unknown_configuration_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--configuration", "tiny", "samples"]) == 1
    assert "no configuration 'tiny'; known: compact" in capsys.readouterr().err


def test_every_command_of_the_makefile_is_understood() -> None:
    """Each recipe line that runs `python -m training`, with the defaults of its variables."""
    makefile = (REPOSITORY / "Makefile").read_text()
    makefile = re.sub(r"\$\(if \$\(PREVIOUS\),(.*)\)", r"\1", makefile)
    makefile = makefile.replace("$(if $(FIT),--fit)", "--fit")
    variables = {
        "DATA": "data",
        "NETWORK": "all",
        "CONFIG": "compact",
        "PREVIOUS": "models",
        "STUDIES": "3",
        "SMOKE_RUN": "smoke",
    }
    recipes = re.findall(
        r"^\t.*?(?:\$\((?:TRAINING|SMOKE)\)|-m training) (.+)$", makefile.replace("\\\n", " "), re.MULTILINE
    )
    names = set()
    for recipe in recipes:
        text = re.sub(
            r"\$\((\w+)\)", lambda match: variables[match[1]], re.sub(r"\$\(foreach.*\)", "--source a=b", recipe)
        )
        command = parsed(*shlex.split(text))
        names.add(type(command).__name__)
    assert {"Explore", "Prepare", "Train", "Export", "FitEnsembles", "Evaluate", "WriteReport"} <= names
    assert {
        "JudgeRealPatients",
        "MeasureRealism",
        "WriteLesionSheet",
        "WriteAugmentationSheet",
        "WriteSamples",
        "EvaluateStudies",
    } <= names


def test_the_commands_load_no_framework_before_they_need_one() -> None:
    """`make samples` and `make lesion-sheet` run in the environment of the services, which has none."""
    code = (
        "import sys, training.__main__\n"
        "print(*sorted({'torch', 'tensorflow', 'keras', 'ultralytics', 'onnxruntime'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert result.stdout.strip() == ""


def test_every_network_is_named_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    help_text = capsys.readouterr().out
    assert all(name in help_text for name in NETWORKS)
