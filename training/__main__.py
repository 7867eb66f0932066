"""`python -m training`: prepare, train, export, evaluate; and pictures to look at."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from hepar.contracts.cards import Metric, ModelCard
from hepar.imaging.ct_image import Window
from training.command_line import ALL, parsed_arguments
from training.configuration import load_configuration
from training.datasets.records import Leakage, NotThisDataset, ReadOptions
from training.export.parity import Unlike
from training.networks import NETWORKS, Run, export, train
from training.pictures import lesion_sheet, write_samples
from training.prepare import CLASS_LABELS, data_fingerprint, prepare
from training.promotion import NotLetIn, give_calls, let_in, roll_back, watch_only
from training.sources import UnusableData, choose_source
from training.versions import UnknownVersion, current, leading, present, write_card

if TYPE_CHECKING:
    from training.evaluation.comparison import Shipped


class NotTrained(Exception):
    """Something an earlier command makes is missing; the message says which command."""


def main() -> int:
    arguments = parsed_arguments(__doc__)
    try:
        _run(arguments)
    except (
        UnusableData, Leakage, NotTrained, NotThisDataset, NotLetIn, UnknownVersion, Unlike, FileNotFoundError,
        FileExistsError, ValidationError,
    ) as error:  # fmt: skip
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(arguments: argparse.Namespace) -> None:
    configuration = load_configuration(arguments.configuration)
    name = Path(arguments.configuration).stem
    folder = arguments.folder or Path("var/training") / name
    run = Run(configuration, "full" if name.startswith("full") else "compact", folder)
    _COMMANDS[arguments.command](arguments, run)


def _print_samples(arguments: argparse.Namespace, run: Run) -> None:
    for path in write_samples(run.configuration.data, arguments.out):
        print(path)


def _print_lesion_sheet(arguments: argparse.Namespace, run: Run) -> None:
    folder = arguments.data if arguments.data is not None and arguments.data.is_dir() else None
    print(lesion_sheet(run.configuration.data, folder, arguments.out))


def _print_augmentation_sheet(arguments: argparse.Namespace, run: Run) -> None:
    from training.evaluation.augmentation_sheet import augmentation_sheet

    print(augmentation_sheet(run.configuration, arguments.out))


def _print_realism(arguments: argparse.Namespace, run: Run) -> None:
    from training.evaluation import realism
    from training.sources import msd_liver_slices

    data, tables = run.configuration.data, arguments.tables
    slices = list(msd_liver_slices(arguments.data, data))
    healthy = [item for item in slices if item.tumour_free]
    found = realism.compare(
        realism.real_specimens(slices, data),
        realism.synthesised_specimens(healthy[::2], data),
    )
    print(f"{found.real} real lesions, {found.synthesised} synthesised ones of the same sizes; quartiles")
    for name, (real, made) in found.table.items():
        print(f"  {name:<16} real {_quartiles(real)}   synthesised {_quartiles(made)}")
    print(f"area under the curve of a classifier that tells them apart: {found.auc:.3f}")
    if tables is None:
        return
    tabled, drawn = realism.tabled_traits(tables), realism.synthesised_traits(healthy, data)
    print("by type: largest diameter in mm at 10, 25, 50, 75, 90 %; lesions (MCT-LTDiag: a patient, here: a slice)")
    for label in tabled:
        for source, traits in (("MCT-LTDiag", tabled[label]), ("synthesised", drawn[label])):
            diameters = " ".join(f"{value:4.0f}" for value in traits.diameters_mm)
            print(
                f"  {label:<18} {source:<11} {diameters}  lesions {traits.lesions:.1f}  "
                f"rim {traits.rim:4.0%}  lobulated {traits.lobulated:4.0%}"
            )


def _print_volumes(arguments: argparse.Namespace, _run: Run) -> None:
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


def _promote(arguments: argparse.Namespace, run: Run) -> None:
    folder, version = arguments.repository / arguments.model, arguments.version
    if arguments.candidate is not None and version not in present(folder):
        print(let_in(folder, version, arguments.candidate, run.data), flush=True)
    after = watch_only(folder, version) if arguments.shadow else give_calls(folder, version, arguments.weight)
    print(f"{folder}: {after.model_dump_json()}; the services follow once Triton has loaded it")


def _roll_back(arguments: argparse.Namespace, _run: Run) -> None:
    folder = arguments.repository / arguments.model
    roll_back(folder, arguments.version)
    print(f"{folder}: version {arguments.version} answers alone; the services follow within two seconds")


def _fit_ensembles(arguments: argparse.Namespace, run: Run) -> None:
    from training.evaluation.comparison import fit_ensembles
    from training.export.model_card import write_model_card

    models = _shipped(arguments.repository, run)
    ensembles, curves = fit_ensembles(models, run.data)
    for item in models:
        update = {"ensemble": ensembles.get(item.card.task), "curves": curves.get(item.card.name)}
        card = item.card.model_copy(update=update)
        write_card(arguments.repository / card.name, card)
        print(write_model_card(card, item.model, arguments.pages))
    for task, ensemble in ensembles.items():
        for fitted in ensemble.methods.values():
            members = ", ".join(f"{name} {weight:g}" for name, weight in fitted.members.items())
            print(f"{task}: {fitted.method}{' (default)' if fitted.method == ensemble.default else ''} of {members}")
            for name, metric in fitted.metrics.items():
                print(f"  {name:<28} {_readable(metric)}")


def _optimise_graphs(arguments: argparse.Namespace, _run: Run) -> None:
    from training.export.optimisation import optimise_repository

    changed = 0
    for graph in optimise_repository(arguments.repository, sorted(arguments.images.glob("*.png"))):
        print(graph.sentence(), flush=True)
        changed += 1
    print(f"{changed} graphs of {arguments.repository} changed")


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


def _explore(arguments: argparse.Namespace, run: Run) -> None:
    from training.datasets.collection import Source, collect
    from training.datasets.report import duplicates, write_report
    from training.datasets.splitting import leaks_of, read_split, require_no_leakage

    configuration, out = run.configuration, run.folder / "collection"
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


_COMMANDS: dict[str, Callable[[argparse.Namespace, Run], None]] = {
    "explore": _explore,
    "prepare": _prepare,
    "train": _work,
    "export": _work,
    "evaluate": _work,
    "cross-validate": _cross_validate,
    "ensemble": _fit_ensembles,
    "optimise-graphs": _optimise_graphs,
    "report": _report,
    "promote": _promote,
    "rollback": _roll_back,
    "volumes": _print_volumes,
    "realism": _print_realism,
    "lesion-sheet": _print_lesion_sheet,
    "augmentation-sheet": _print_augmentation_sheet,
    "samples": _print_samples,
}


if __name__ == "__main__":
    sys.exit(main())
