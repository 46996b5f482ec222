"""`sweeper train`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from sweeper.errors import UsageError

_LIMITS = {
    "seed": (0, 2**32 - 1),
    "trees": (1, 1_000_000),
    "depth": (1, 64),
    "rows": (1, 10_000_000),
    "features": (5, 10_000),
}


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Example: sweeper train --model random-forest   (an up-to-date model is not trained again)"
    )
    def train(
        model: Annotated[
            str,
            typer.Option(help="xgboost, random-forest, sklearn-regression or io-bound.", metavar="NAME"),
        ] = "xgboost",
        out: Annotated[
            str | None, typer.Option(help="Folder to write.", show_default="models/MODEL", metavar="DIR")
        ] = None,
        seed: Annotated[
            str | None,
            typer.Option(help="The same seed gives the same predictions.", show_default="0", metavar="N"),
        ] = None,
        trees: Annotated[
            str | None,
            typer.Option(help="Trees of xgboost or random-forest.", show_default="8000; 260", metavar="N"),
        ] = None,
        depth: Annotated[
            str | None,
            typer.Option(help="Most levels of one of these trees.", show_default="6; 24", metavar="N"),
        ] = None,
        rows: Annotated[
            str | None, typer.Option(help="Rows of training data.", show_default="4000", metavar="N")
        ] = None,
        features: Annotated[
            str | None, typer.Option(help="Numeric columns, at least 5.", show_default="20", metavar="N")
        ] = None,
    ) -> None:
        """Train a model to measure with, as a folder that DRUM can serve."""
        from sweeper.cli.console import write

        sizes = {"seed": seed, "trees": trees, "depth": depth, "rows": rows, "features": features}
        given = {name: _whole(name, text) for name, text in sizes.items() if text is not None}
        _train(model, out, given, lambda line: write(f"{line}\n"))


def _whole(name: str, text: str) -> int:
    low, high = _LIMITS[name]
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise UsageError(f"--{name} '{text}': must be a whole number from {low} to {high}")
    return value


def train_where_missing(model: str, folder: Path) -> None:
    """For a command that measures one of our models: made now unless it is there. Told on stderr."""
    from sweeper.cli.console import tell
    from sweeper.training.model_folder import is_ours

    if not is_ours(folder):
        tell(f"{folder} is not trained yet: training it first")
        _train(model, str(folder), {}, tell)


def _train(model: str, out: str | None, sizes: dict[str, int], told: Callable[[str], None]) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from sweeper.training import TrainingProgress, default_spec, describe, is_up_to_date, train
    from sweeper.training.output_folder import check_target, resolve_target

    spec = default_spec(model)
    for name in ("trees", "depth"):
        if name in sizes and not spec.kind.has_trees:
            raise UsageError(f"--{name} {sizes[name]}: the {spec.kind} model has no trees: leave it out")
    spec = dataclasses.replace(spec, **sizes)  # type: ignore[arg-type]
    folder = Path(out) if out is not None else Path("models") / spec.kind.value
    if is_up_to_date(spec, folder):
        trained = describe(folder)
        told(
            f"{folder} is up to date: {spec.kind}, seed {spec.seed}, one predict of "
            f"{trained.sample_rows} rows costs {trained.predict_cpu_ms:.1f} ms of one core"
        )
        return
    check_target(spec, resolve_target(folder))  # before the progress bar shows anything
    bar = Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task("data", total=1.0)

        def show(progress: TrainingProgress) -> None:
            bar.update(task, description=progress.phase, completed=progress.fraction)

        trained = train(spec, folder, show)
    told(
        f"{folder}: {spec.kind}, seed {spec.seed}, trained in {trained.training_s:.1f} s; one predict of "
        f"{trained.sample_rows} rows costs {trained.predict_cpu_ms:.1f} ms of one core"
    )
