"""`sweeper train`."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Example: sweeper train --model random-forest  (an up-to-date model is not trained again)"
    )
    def train(
        model: Annotated[
            str,
            typer.Option(help="xgboost, random-forest, sklearn-regression or io-bound."),
        ] = "xgboost",
        out: Annotated[str | None, typer.Option(help="Folder to write.", show_default="models/MODEL")] = None,
        seed: Annotated[str, typer.Option(help="The same seed gives the same predictions.")] = "0",
        trees: Annotated[str | None, typer.Option(help="Number of trees (xgboost, random-forest).")] = None,
        depth: Annotated[
            str | None, typer.Option(help="Depth of each tree (xgboost, random-forest).")
        ] = None,
        rows: Annotated[str | None, typer.Option(help="Rows of training data.")] = None,
        features: Annotated[str | None, typer.Option(help="Numeric columns of the data.")] = None,
    ) -> None:
        """Train a model to measure with, as a folder that DRUM can serve."""
        pass
