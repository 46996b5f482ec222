"""What a server costs, and how much is wanted of it: settings that change nothing of what is measured."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from sweeper.errors import UsageError
from sweeper.settings.command_line_option import RULE, Option

OF_ECONOMICS = ("cost_per_hour", "plan_for")


class EconomicsSettings(BaseModel):
    cost_per_hour: Annotated[  # None: not known
        float | None,
        Field(gt=0, le=1e6, description="a number above 0, up to 1000000, such as 0.34"),
        Option(
            "What one server costs per hour, in any currency; the answer then shows what a million requests "
            "cost.",
            RULE,
            "PRICE",
        ),
    ] = None
    plan_for: Annotated[  # None: nothing is planned
        float | None,
        Field(gt=0, le=1e9, description="requests/s, a number above 0, up to 1000000000, such as 500"),
        Option(
            "Requests/s that all servers together should answer; the answer then shows how many servers "
            "(replicas) that takes.",
            RULE,
            "RATE",
        ),
    ] = None


def economics(cost_per_hour: str | None, plan_for: str | None) -> EconomicsSettings:
    """As typed. Raises UsageError."""
    given = {"cost_per_hour": cost_per_hour, "plan_for": plan_for}
    try:
        return EconomicsSettings.model_validate(given)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        right = EconomicsSettings.model_fields[name].description
        raise UsageError(f"--{name.replace('_', '-')} '{given[name]}': must be {right}") from None
