"""`sweeper report`."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweeper.cli import options as o
from sweeper.cli.exit_codes import DONE
from sweeper.records.safe_text import shell_command
from sweeper.version import __version__

if TYPE_CHECKING:
    from sweeper.records.run import Objective
    from sweeper.report.html.page_data import RecommendationData, ScenarioData
    from sweeper.settings.economics_settings import EconomicsSettings
    from sweeper.settings.study_settings import StudySettings
    from sweeper.study.find_packed_study import Place
    from sweeper.study.read_study import Recorded


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Examples:  sweeper report   |   sweeper report checkout --open   |   "
        "sweeper report checkout --out checkout.html"
    )
    def report(
        study: o.NewestStudy = None,
        out: Annotated[
            str | None,
            typer.Option(
                help="File to write.",
                metavar="FILE",
                show_default="report.html in the study's folder; report-NAME.html here for a packed study",
            ),
        ] = None,
        cost_per_hour: o.CostPerHour = None,
        plan_for: o.PlanFor = None,
        show: Annotated[bool, typer.Option("--open", help="Then open the page in your browser.")] = False,
        studies_dir: o.StudiesDir = None,
        storage: o.Storage = None,
    ) -> int:
        """Make one HTML page of a recorded study: its answer, and the pictures behind it."""
        from sweeper.study.find_packed_study import place

        return _write(place(study, studies_dir, storage), out, (cost_per_hour, plan_for), show=show)


def _write(where: Place, out: str | None, economics: tuple[str | None, str | None], *, show: bool) -> int:
    """Raises UsageError where there is no such study, or where the page cannot be written."""
    from sweeper.cli.console import tell, write
    from sweeper.report.html.page import page
    from sweeper.settings.economics_settings import economics as read_economics
    from sweeper.store import durable_files
    from sweeper.study.find_study import store_errors_as_wrong_use
    from sweeper.study.read_study import recorded

    file, asked = o.out_file(out, "report.html"), read_economics(*economics)
    with store_errors_as_wrong_use():
        found = recorded(where)
        made = page(_priced(material(found, where), asked))
        if file is None:
            file = where.page_of(found.study.name)
            durable_files.write(file, made)
        else:
            durable_files.write_where_named(file, made)
    write(f"{file}\n")
    if show and not webbrowser.open(file.resolve().as_uri()):
        tell("there is no browser here: open the file yourself")
    return DONE


def _priced(
    data: RecommendationData | ScenarioData, asked: EconomicsSettings
) -> RecommendationData | ScenarioData:
    from sweeper.analysis.economics import priced
    from sweeper.report.html.page_data import RecommendationData

    if not isinstance(data, RecommendationData):
        return data
    recommendation = priced(data.recommendation, asked.cost_per_hour, asked.plan_for)
    return replace(data, recommendation=recommendation)


def material(found: Recorded, where: Place) -> RecommendationData | ScenarioData:
    """All that the page of a study is made of, read from its records and files."""
    from sweeper.report.html.page_data import RecommendationData, ScenarioData
    from sweeper.study.recorded import stored_settings

    study, settings = found.study, stored_settings(found.study)
    common: dict[str, Any] = {
        "study": study.name,
        "records": found.records,
        "settings": study.settings,
        "environments": _environments(found, where),
        "created_at": study.created_at,
        "made_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "repeat": shell_command(settings.COMMAND, *where.arguments_to_repeat(study.name)),
        "version": __version__,
    }
    if found.outcome is not None:
        return ScenarioData(**common, outcome=found.outcome)
    traces, absent = where.traces(study.name, found.records)
    return RecommendationData(
        **common,
        recommendation=found.recommendation,
        traces=traces,
        absent=absent,
        how_to_bring_files=where.how_to_bring_files,
        slo_p99_ms=settings.slo_p99,
        reference=settings.reference,
        importances=_importances(found, settings),
        paste=shell_command("recommend", *where.arguments_to_find(study.name)),
    )


def _environments(found: Recorded, where: Place) -> Mapping[str, Mapping[str, Any]]:
    hosts = where.environments(found.study.name)
    return hosts if len(hosts) > 1 else {"": found.study.environment}


def _importances(found: Recorded, settings: StudySettings) -> Mapping[Objective, Mapping[str, float]]:
    from sweeper.settings.command_settings import OptimizeSettings

    search = found.recommendation.search
    if search is None or not isinstance(settings, OptimizeSettings):
        return {}
    from sweeper.study.proposer import importances  # with Optuna, for a search alone

    return importances(settings.space, search)
