"""`python -m training`: prepare, train, export, evaluate; and pictures to look at."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from hepar.contracts.cards import Metric, ModelCard, Versions
from hepar.imaging.ct_image import Window
from training.configuration import Configuration, load_configuration
from training.datasets.records import Leakage, NotThisDataset, ReadOptions
from training.networks import NETWORKS, Run, export, train
from training.pictures import lesion_sheet, write_samples
from training.prepare import CLASS_LABELS, data_fingerprint, prepare
from training.sources import UnusableData, choose_source
from training.versions import UnknownVersion, current, leading, present, put_in, share

if TYPE_CHECKING:
    from training.evaluation.comparison import Shipped

REPOSITORY = Path("triton_models")
ALL = "all"


class NotBetter(Exception):
    """A new version lost, or did not win clearly; the message says what stays."""


class NotTrained(Exception):
    """Something an earlier command makes is missing; the message says which command."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--configuration", default="compact", help="a name of training/configs, or a .toml file")
    parser.add_argument("--folder", type=Path, help="where runs are kept; var/training/<configuration> by default")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    commands = parser.add_subparsers(dest="command", required=True)
    exploring = commands.add_parser("explore", help="join datasets into one manifest and report on them")
    exploring.add_argument("--source", action="append", required=True, metavar="KIND=FOLDER")
    exploring.add_argument("--every-nth", type=int, default=5, help="of a volume's slices without a lesion")
    exploring.add_argument("--phase", help="of datasets with several contrast phases; portal-venous by default")
    exploring.add_argument("--split", type=Path, help="a split to report on; what leaks between its parts is an error")
    preparing = commands.add_parser("prepare", help="split by patient and synthesise lesions")
    preparing.add_argument("--data", type=Path, help="the folder msd-liver-slices; phantoms alone without it")
    preparing.add_argument("--collection", action="store_true", help="what `explore` collected, with its own labels")
    choosing = preparing.add_mutually_exclusive_group()
    choosing.add_argument("--split", type=Path, help="a file that maps each patient to train, validation or test")
    choosing.add_argument("--fold", metavar="I/K", type=_fold, help="the I-th of K folds, grouped by patient")
    choosing.add_argument("--leave-out", metavar="SOURCE", help="test on this dataset of the collection alone")
    for command, text in (
        ("train", "train, or go on training"),
        ("export", "write to the model repository, with figures"),
        ("evaluate", "print the figures of the shipped model, measured anew"),
    ):
        commands.add_parser(command, help=text).add_argument("network", choices=[ALL, *sorted(NETWORKS)])
    validating = commands.add_parser("cross-validate", help="train and judge one network on each of K folds")
    validating.add_argument("network", choices=sorted(NETWORKS))
    validating.add_argument("--folds", type=int, default=5)
    validating.add_argument("--data", type=Path, help="the folder msd-liver-slices; a collection's folds without it")
    fitting = commands.add_parser("ensemble", help="fit how the shipped models decide together; writes their cards")
    fitting.add_argument("--pages", type=Path, default=Path("docs/model-cards"), help="where people's cards go")
    promoting = commands.add_parser("promote", help="let a version answer that beats the serving one")
    promoting.add_argument("model", help="a folder of the repository")
    promoting.add_argument("version", type=_version)
    promoting.add_argument("--candidate", type=Path, help="the exported folder of a version that is not here yet")
    sharing = promoting.add_mutually_exclusive_group()
    sharing.add_argument("--weight", type=_weight, default=1.0, help="share of the calls that it answers (a canary)")
    sharing.add_argument("--shadow", action="store_true", help="ask it beside the others, and give nobody its answers")
    returning = commands.add_parser("rollback", help="let a version that is here answer alone, within seconds")
    returning.add_argument("model")
    returning.add_argument("version", type=_version)
    reporting = commands.add_parser("report", help="every shipped model beside every ensemble, with graphs")
    reporting.add_argument("--out", type=Path, help="report/ in the run's folder by default")
    volumes = commands.add_parser("volumes", help="what the shipped ensembles say of whole volumes, slice by slice")
    volumes.add_argument("--volume", action="append", required=True, metavar="IMAGE[,LABELS]", help="NIfTI or DICOM")
    volumes.add_argument("--out", type=Path, help="write the figures there, as JSON")
    sheet = commands.add_parser("lesion-sheet", help="a contact sheet of synthesised lesions")
    sheet.add_argument("--data", type=Path, help="the folder msd-liver-slices, for real livers beside phantoms")
    sheet.add_argument("--out", type=Path, default=Path("var/lesion-sheet.png"))
    augmenting = commands.add_parser("augmentation-sheet", help="a picture of what each augmentation does")
    augmenting.add_argument("--out", type=Path, default=Path("var/augmentation-sheet.png"))
    comparing = commands.add_parser("realism", help="synthesised lesions beside the reviewed real ones")
    comparing.add_argument("--data", type=Path, required=True, help="the folder msd-liver-slices")
    comparing.add_argument("--tables", type=Path, help="the folder mct-ltdiag, to compare sizes and forms by type")
    samples = commands.add_parser("samples", help="phantoms with lesions, to ship")
    samples.add_argument("--out", type=Path, default=Path("samples"))
    arguments = parser.parse_args()
    try:
        _run(arguments)
    except (
        UnusableData, Leakage, NotTrained, NotThisDataset, NotBetter, UnknownVersion, FileNotFoundError,
        FileExistsError, ValidationError,
    ) as error:  # fmt: skip
        print(error, file=sys.stderr)
        return 1
    return 0


def _fold(text: str) -> tuple[int, int]:
    """Raises ValueError, which argparse tells the user."""
    number, count = map(int, text.split("/"))
    if not 1 <= number <= count:
        raise ValueError(f"{text} is not the I-th of K folds")
    return number, count


def _version(text: str) -> str:
    """Raises ValueError, which argparse tells the user."""
    if int(text) < 1:
        raise ValueError(f"{text} is not a version: 1, 2, ...")
    return str(int(text))


def _weight(text: str) -> float:
    """Raises ValueError, which argparse tells the user."""
    if not 0 < (weight := float(text)) <= 1:
        raise ValueError(f"{text} is not a share: above 0, at most 1")
    return weight


def _run(arguments: argparse.Namespace) -> None:
    configuration = load_configuration(arguments.configuration)
    if arguments.command == "augmentation-sheet":
        from training.evaluation.augmentation_sheet import augmentation_sheet

        print(augmentation_sheet(configuration, arguments.out))
        return
    if arguments.command == "rollback":
        _roll_back(arguments)
        return
    if arguments.command == "volumes":
        _print_volumes(arguments)
        return
    if arguments.command == "realism":
        _print_realism(arguments.data, arguments.tables, configuration)
        return
    if arguments.command in ("lesion-sheet", "samples"):
        _draw(arguments, configuration)
        return
    name = Path(arguments.configuration).stem
    folder = arguments.folder or Path("var/training") / name
    run = Run(configuration, "full" if name.startswith("full") else "compact", folder)
    if arguments.command == "explore":
        _explore(arguments, configuration, run.folder / "collection")
    else:
        _WITH_A_RUN.get(arguments.command, _work)(arguments, run)


def _draw(arguments: argparse.Namespace, configuration: Configuration) -> None:
    if arguments.command == "samples":
        for path in write_samples(configuration.data, arguments.out):
            print(path)
        return
    folder = arguments.data if arguments.data is not None and arguments.data.is_dir() else None
    print(lesion_sheet(configuration.data, folder, arguments.out))


def _print_realism(folder: Path, tables: Path | None, configuration: Configuration) -> None:
    from training.evaluation import realism
    from training.sources import msd_liver_slices

    slices = list(msd_liver_slices(folder, configuration.data))
    healthy = [item for item in slices if item.tumour_free]
    found = realism.compare(
        realism.real_specimens(slices, configuration.data),
        realism.synthesised_specimens(healthy[::2], configuration.data),
    )
    print(f"{found.real} real lesions, {found.synthesised} synthesised ones of the same sizes; quartiles")
    for name, (real, made) in found.table.items():
        print(f"  {name:<16} real {_quartiles(real)}   synthesised {_quartiles(made)}")
    print(f"area under the curve of a classifier that tells them apart: {found.auc:.3f}")
    if tables is None:
        return
    tabled, drawn = realism.tabled_traits(tables), realism.synthesised_traits(healthy, configuration.data)
    print("by type: largest diameter in mm at 10, 25, 50, 75, 90 %; lesions (MCT-LTDiag: a patient, here: a slice)")
    for label in tabled:
        for source, traits in (("MCT-LTDiag", tabled[label]), ("synthesised", drawn[label])):
            diameters = " ".join(f"{value:4.0f}" for value in traits.diameters_mm)
            print(
                f"  {label:<18} {source:<11} {diameters}  lesions {traits.lesions:.1f}  "
                f"rim {traits.rim:4.0%}  lobulated {traits.lobulated:4.0%}"
            )


def _print_volumes(arguments: argparse.Namespace) -> None:
    from training.evaluation.comparison import shipped_models
    from training.evaluation.volumes import judge_volume

    models = shipped_models(arguments.repository)
    if not models:
        raise NotTrained(f"{arguments.repository} holds no model: run `python -m training export` first")
    rows = []
    for text in arguments.volume:
        image, _, labels = text.partition(",")
        figures = judge_volume(models, Path(image), Path(labels) if labels else None)
        print(figures.sentence(), flush=True)
        rows.append(figures.plain())
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n")


def _quartiles(values: Iterable[float]) -> str:
    return " ".join(f"{value:7.1f}" for value in values)


def _prepare(arguments: argparse.Namespace, run: Run) -> None:
    if not arguments.collection and (arguments.split or arguments.leave_out):
        raise UnusableData("--split and --leave-out choose among a collection's patients: add --collection")
    if arguments.collection:
        count = _prepare_collection(arguments, run)
    else:
        data = run.configuration.data
        count = prepare(choose_source(arguments.data, data), data, run.data, fold=arguments.fold)
    print(f"{count} images in {run.data}")


def _work(arguments: argparse.Namespace, run: Run) -> None:
    """Train, export or evaluate one network, or all: evaluate then means all that are shipped."""
    if not (run.data / "manifest.jsonl").is_file():
        raise NotTrained(f"{run.data} holds no data: run `python -m training prepare` first")
    if arguments.command == "evaluate":
        shipped = [name for name in NETWORKS if (arguments.repository / name / "card.json").is_file()]
        for name in shipped if arguments.network == ALL else [arguments.network]:
            _evaluate(arguments.repository / name, run)
    elif arguments.network == ALL:
        _each_in_its_own_process(arguments)
    elif arguments.command == "train":
        train(NETWORKS[arguments.network], run)
    elif not (run.of(arguments.network) / "finished").exists():
        name = arguments.network
        raise NotTrained(f"{name} is not trained to the end: run `python -m training train {name}`")
    else:
        _print_figures(export(NETWORKS[arguments.network], run, arguments.repository))


def _each_in_its_own_process(arguments: argparse.Namespace) -> None:
    """TensorFlow and torch do not bear one another in one process, and each network's memory is given back."""
    command = [sys.executable, "-m", "training", "--configuration", arguments.configuration]
    command += ["--folder", str(arguments.folder)] if arguments.folder else []
    command += ["--repository", str(arguments.repository), arguments.command]
    for name in NETWORKS:
        print(f"{name}:", flush=True)
        if subprocess.run([*command, name], check=False).returncode:  # noqa: S603  our own command line
            raise NotTrained(f"{arguments.command} {name} failed; what is done is kept, and the same command goes on")


def _cross_validate(arguments: argparse.Namespace, run: Run) -> None:
    from training.cross_validation import cross_validate
    from training.datasets.preparation import SplitChoice, prepare_collection

    collection, data = run.folder / "collection", run.configuration.data
    if arguments.data is None and not (collection / "manifest.jsonl").is_file():
        raise NotTrained(f"{collection} holds no collection: run `python -m training explore` first, or add --data")

    def divide(fold: tuple[int, int], out: Path) -> None:
        if arguments.data is None:
            prepare_collection(collection, data, out, SplitChoice(fold=fold))
        else:
            prepare(choose_source(arguments.data, data), data, out, fold=fold)

    def call(folder: Path, *command: str) -> None:
        ours = [sys.executable, "-m", "training", "--configuration", arguments.configuration, "--folder", str(folder)]
        ours += ["--repository", str(folder / "models"), *command]
        if subprocess.run(ours, check=False).returncode:  # noqa: S603  our own command line
            raise NotTrained(f"{' '.join(command)} failed in {folder}; the same command goes on there")

    path = cross_validate(arguments.network, arguments.folds, run.folder, divide, call)
    print(path.read_text(), path, sep="")


def _roll_back(arguments: argparse.Namespace) -> None:
    folder = arguments.repository / arguments.model
    share(folder, Versions(serving={arguments.version: 1.0}))
    print(f"{folder}: version {arguments.version} answers alone; the services follow within two seconds")


def _promote(arguments: argparse.Namespace, run: Run) -> None:
    """Raises NotBetter for a new version that does not beat the serving one."""
    folder, version = arguments.repository / arguments.model, arguments.version
    before = current(folder)
    if version not in present(folder):
        if arguments.candidate is None:
            raise UnknownVersion(f"{folder} has no version {version}: name its exported folder with --candidate")
        graph, card = _candidate(arguments.candidate, arguments.model, run)
        from training.evaluation.contest import hold

        contest = hold(folder / leading(before) / "model.onnx", graph, card, run.data)
        print(contest.sentence(), flush=True)
        if not contest.won:
            raise NotBetter(f"{folder} stays as it is")
        put_in(folder, version, graph, card)
    others = {one: weight for one, weight in before.serving.items() if one != version}
    shadow = [one for one in before.shadow if one != version]
    if arguments.shadow:
        after = Versions(serving=_scaled(others, 1.0) or before.serving, shadow=[*shadow, version])
    else:
        kept = _scaled(others, 1 - arguments.weight)
        after = Versions(serving={**kept, version: arguments.weight if kept else 1.0}, shadow=shadow)
    share(folder, after)
    print(f"{folder}: {after.model_dump_json()}; the services follow once Triton has loaded it")


def _scaled(weights: dict[str, float], total: float) -> dict[str, float]:
    """To that sum; none where it is 0."""
    whole = sum(weights.values())
    return {name: round(weight / whole * total, 6) for name, weight in weights.items()} if total > 0 else {}


def _candidate(folder: Path, model: str, run: Run) -> tuple[Path, ModelCard]:
    """Its graph and card. Raises NotTrained where it is not of this model, or was judged on other data than is here."""
    if not (folder / "card.json").is_file():
        raise NotTrained(f"{folder} holds no model: run `python -m training --repository ... export {model}` first")
    card = ModelCard.model_validate_json((folder / "card.json").read_bytes())
    if card.name != model:
        raise NotTrained(f"{folder} is of {card.name}, not of {model}")
    if not (run.data / "manifest.jsonl").is_file() or data_fingerprint(run.data) != card.data_sha256:
        raise NotTrained(f"{run.data} is not the data that {folder} was judged on: prepare it with the same DATA")
    return folder / present(folder)[-1] / "model.onnx", card


def _fit_ensembles(arguments: argparse.Namespace, run: Run) -> None:
    from training.evaluation.comparison import curves_of, fit_ensembles
    from training.export.model_card import write_model_card

    models = _shipped(arguments.repository, run)
    ensembles, curves = fit_ensembles(models, run.data), curves_of(models, run.data)
    for item in models:
        update = {"ensemble": ensembles.get(item.card.task), "curves": curves.get(item.card.name)}
        card = item.card.model_copy(update=update)
        (arguments.repository / card.name / "card.json").write_text(card.model_dump_json(indent=2) + "\n")
        print(write_model_card(card, item.model, arguments.pages))
    for task, ensemble in ensembles.items():
        for way in ensemble.ways.values():
            members = ", ".join(f"{name} {weight:g}" for name, weight in way.members.items())
            print(f"{task}: {way.method}{' (default)' if way.method == ensemble.default else ''} of {members}")
            for name, metric in way.metrics.items():
                print(f"  {name:<28} {_readable(metric)}")


def _report(arguments: argparse.Namespace, run: Run) -> None:
    from training.evaluation.comparison import compare
    from training.evaluation.report import write_report

    report = compare(_shipped(arguments.repository, run), run.data)
    print(write_report(report, arguments.out or run.folder / "report"))


def _shipped(repository: Path, run: Run) -> list[Shipped]:
    """Raises NotTrained where there is no model, or one that was judged on other data than the run's."""
    from training.evaluation.comparison import shipped_models

    models = shipped_models(repository)
    if not models:
        raise NotTrained(f"{repository} holds no model: run `python -m training export` first")
    if not (run.data / "manifest.jsonl").is_file():
        raise NotTrained(f"{run.data} holds no data: run `python -m training prepare` first")
    fingerprint = data_fingerprint(run.data)
    for item in models:
        if item.card.data_sha256 != fingerprint:
            raise NotTrained(f"{run.data} is not the data that {item.card.name} was judged on")
    return models


def _explore(arguments: argparse.Namespace, configuration: Configuration, out: Path) -> None:
    from training.datasets.collection import Source, collect
    from training.datasets.report import duplicates, write_report
    from training.datasets.splitting import leaks_of, read_split, require_no_leakage

    sources = [Source.parsed(text) for text in arguments.source]
    window = Window(configuration.data.window_low_hu, configuration.data.window_high_hu)
    options = ReadOptions(window, max(1, arguments.every_nth), arguments.phase)
    records, faults = collect(sources, options, configuration.label_map, out, print)
    for fault in faults:
        print(f"  {fault.source}: {fault.origin}: {fault.reason}")
    if arguments.split is None:
        print(write_report(records, faults, out))
        return
    labelled = [record for record in records if record.label in CLASS_LABELS]
    split, alike = read_split(arguments.split, labelled), duplicates(labelled, out)
    print(write_report(records, faults, out, split, leaks_of(labelled, split, alike)))
    require_no_leakage(labelled, split, alike)


def _prepare_collection(arguments: argparse.Namespace, run: Run) -> int:
    from training.datasets.preparation import SplitChoice, prepare_collection

    collection = run.folder / "collection"
    if not (collection / "manifest.jsonl").is_file():
        raise NotTrained(f"{collection} holds no collection: run `python -m training explore` first")
    count, left_out = prepare_collection(
        collection,
        run.configuration.data,
        run.data,
        SplitChoice(arguments.split, arguments.fold, arguments.leave_out),
    )
    for item in left_out:
        print(f"  left out: {item.path}: {item.reason}")
    return count


def _evaluate(folder: Path, run: Run) -> None:
    """Prints the figures anew. Raises NotTrained where the data is not that of the card."""
    from training.evaluation.judgement import judge

    if not (folder / "card.json").is_file():
        raise NotTrained(f"{folder} holds no model: run `python -m training export {folder.name}` first")
    card = ModelCard.model_validate_json((folder / "card.json").read_bytes())
    if data_fingerprint(run.data) != card.data_sha256:
        raise NotTrained(f"{run.data} is not the data that {folder} was judged on: prepare it with the same DATA")
    model = folder / leading(current(folder)) / "model.onnx"
    judgement = judge(card.task, model, run.data, card.temperature, card.decision_threshold)
    _print_figures(card.model_copy(update={"metrics": judgement.metrics}))


def _print_figures(card: ModelCard) -> None:
    print(f"{card.name}: temperature {card.temperature:g}, decision threshold {card.decision_threshold:g}")
    for name, metric in card.metrics.items():
        print(f"  {name:<28} {_readable(metric)}")


def _readable(metric: Metric) -> str:
    return f"{metric.value:.3f}  (95 % interval {metric.low:.3f} to {metric.high:.3f})"


_WITH_A_RUN = {
    "prepare": _prepare,
    "cross-validate": _cross_validate,
    "promote": _promote,
    "ensemble": _fit_ensembles,
    "report": _report,
}

if __name__ == "__main__":
    sys.exit(main())
