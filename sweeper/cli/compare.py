"""`sweeper compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sweeper.cli import options as o
from sweeper.cli.exit_codes import DONE, WORSE
from sweeper.errors import UsageError
from sweeper.records.safe_text import shell_command
from sweeper.settings.command_line_option import Panel

if TYPE_CHECKING:
    from sweeper.analysis.comparison.result import Comparison, Side
    from sweeper.report.text.studies import Listed
    from sweeper.settings.study_settings import StudySettings
    from sweeper.study.find_packed_study import Place
    from sweeper.study.read_study import Recorded


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Exit codes: 0 nothing is shown to be worse, 1 something is, 2 wrong use.   Examples:  "
        "sweeper compare before after   |   sweeper compare before after --all --tolerance 0.1   |   "
        "sweeper compare checkout colleague/checkout.zip"
    )
    def compare(
        a: Annotated[
            str,
            typer.Argument(help="The study before: its name, its folder or its packed file.", metavar="A"),
        ],
        b: Annotated[str, typer.Argument(help="The study after: is it worse than A?", metavar="B")],
        judge_all: Annotated[
            bool, typer.Option("--all", help="Judge every configuration, not only A's answer.")
        ] = False,
        tolerance: Annotated[
            str | None,
            o.option(
                "B counts as worse if it is shown to be worse by more than this share.",
                "that of A",
                "SHARE",
                Panel.RULE,
            ),
        ] = None,
        studies_dir: o.StudiesDir = None,
        storage: o.Storage = None,
        as_json: o.JsonInstead = False,
    ) -> int:
        """Compare two recorded studies: before and after a change, two machines, two models."""
        from sweeper.study.find_packed_study import is_path, place

        # A folder has its own database beside it.
        first, second = (place(one, studies_dir, None if is_path(one) else storage) for one in (a, b))
        return _compare(first, second, tolerance, judge_all=judge_all, as_json=as_json)


def _compare(a: Place, b: Place, tolerance: str | None, *, judge_all: bool, as_json: bool) -> int:
    """Returns 1 where B is shown to be worse. Raises UsageError for what cannot be compared."""
    from sweeper.analysis.comparison.compare import compare
    from sweeper.cli.console import write_json
    from sweeper.report.json.comparison import comparison_object
    from sweeper.study.find_study import store_errors_as_wrong_use
    from sweeper.study.read_study import recorded
    from sweeper.study.recorded import stored_settings

    wanted = None if tolerance is None else _tolerance(tolerance)
    with store_errors_as_wrong_use():
        found = [recorded(where) for where in (a, b)]
        chosen = [stored_settings(one.study) for one in found]
    if found[0].study.name == found[1].study.name and found[0].records == found[1].records:
        raise UsageError(f"A and B are both study '{found[0].study.name}': name two different ones")
    first, second = (_side(*side) for side in zip((a, b), found, chosen, strict=True))
    under: list[tuple[str, Comparison]] = []
    loads = _loads_in_common(first.name, second.name, chosen)
    for load in loads:
        before, after = (_under(load, len(loads), *one) for one in zip((first, second), chosen, strict=True))
        seen = compare(before, after, wanted or chosen[0].tolerance, judge_all=judge_all)
        _check(seen, before)
        under.append(("" if load is None else f"Load: {load:g}", seen))
    if as_json:
        several = [
            {"load": load, **comparison_object(one[1])} for load, one in zip(loads, under, strict=True)
        ]
        more = {"worse": any(one.worse for _, one in under), "loads": several} if len(loads) > 1 else {}
        write_json({**comparison_object(under[-1][1]), **more})
    else:
        studies = [_listed(one, own) for one, own in zip(found, chosen, strict=True)]
        for heading, seen in under:
            _print(seen, studies, heading)
    return WORSE if any(seen.worse for _, seen in under) else DONE


def _loads_in_common(a: str, b: str, chosen: list[StudySettings]) -> list[float | None]:
    """None stands for the one load of two studies that have one each, whether it is the same or not."""
    if not any(one.loads for one in chosen):
        return [None]
    if (chosen[0].rate is None) != (chosen[1].rate is None):
        raise UsageError(
            f"one of the studies '{a}' and '{b}' has users, the other has requests at random: compare "
            "studies of the same loads"
        )
    had = [set(one.loads or (one.largest_rate or float(one.most_users),)) for one in chosen]
    common = sorted(had[0] & had[1])
    if not common:
        raise UsageError(f"studies '{a}' and '{b}' have no load in common: compare studies of the same loads")
    return list(common)


def _under(load: float | None, loads: int, side: Side, chosen: StudySettings) -> Side:
    """The runs under one of several loads; each is compared at its share of the error, so that all of them
    hold together."""
    from dataclasses import replace

    if load is None:
        return side
    confidence = 1 - (1 - side.rule.confidence) / loads
    own = [record for record in side.records if not chosen.loads or record.plan.load == load]
    return replace(side, records=own, rule=replace(side.rule, confidence=confidence))


def _tolerance(text: str) -> float:
    from sweeper.settings.combine import Given
    from sweeper.settings.validate import settings

    return settings(Given({"tolerance": text}, {})).tolerance


def _side(where: Place, found: Recorded, chosen: StudySettings) -> Side:
    from sweeper.analysis.comparison.result import Side
    from sweeper.analysis.fingerprints import settings_that_matter

    name, answer = found.study.name, found.recommendation
    if not answer.complete:
        raise UsageError(f"study '{name}' is not finished: {where.finishing(chosen.COMMAND, name)}")
    speed = answer.host_speed
    side = Side(
        name=name,
        records=found.records,
        rule=chosen.rule,
        answer=answer.configuration,
        reference=chosen.reference,
        environment=found.study.environment,
        settings=settings_that_matter(chosen.plain(), chosen.subject),
        host_speed=speed is not None and speed.used,
    )
    if not any(side.runs(record.configuration) for record in side.blocks):
        why = shell_command("recommend", *where.arguments_to_find(name))
        raise UsageError(f"study '{name}' has no valid run to compare; {why}{where.password_note} says why")
    return side


def _check(seen: Comparison, a: Side) -> None:
    if not seen.configurations:
        raise UsageError(
            f"studies '{seen.a}' and '{seen.b}' have no configuration with valid runs in common: compare "
            "studies of the same values"
        )
    if not seen.judged and a.answer is not None:
        raise UsageError(
            f"study '{seen.b}' has no valid run of {a.answer.label}, the answer of '{seen.a}': add --all to "
            "judge every configuration that both studies have"
        )


def _listed(found: Recorded, chosen: StudySettings) -> Listed:
    from sweeper.report.text.studies import Listed, brief

    study, said = found.study, brief(found.records, found.recommendation)
    return Listed(study.name, chosen.COMMAND, chosen.subject, study.created_at, said)


def _print(seen: Comparison, studies: list[Listed], heading: str) -> None:
    from sweeper.cli.console import console, say
    from sweeper.report.text.comparison import comparison_table, differences_lines, legend, verdict_lines
    from sweeper.report.text.studies import one_line

    out = console()
    lines = [f"{side}  {one_line(study)}" for side, study in zip("AB", studies, strict=True)]
    say(out, *lines, *([heading] if heading else []), *differences_lines(seen), "")
    out.print(comparison_table(seen))
    say(out, *legend(seen), "", *verdict_lines(seen))
