"""What one server process is made of; the routes answer from this."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sweeper.server.code_dir import CodeDir
from sweeper.server.counters import Counters
from sweeper.server.executor import PredictionExecutor
from sweeper.server.parameters import Parameters

if TYPE_CHECKING:
    from sweeper.server.model import Model


@dataclass(slots=True)
class Service:
    """`model` is None until it is loaded."""

    parameters: Parameters
    code_dir: CodeDir
    counters: Counters = field(default_factory=Counters)
    process_index: int = 0
    model: Model | None = None
    executor: PredictionExecutor = field(init=False)

    def __post_init__(self) -> None:
        self.executor = PredictionExecutor(
            self.parameters.executor_workers,
            self.parameters.executor_queue_depth,
            self.parameters.executor_queue_timeout_s,
            self.counters.of_process(self.process_index),
        )

    def serve(self, model: Model) -> None:
        self.model = model
        self.counters.of_process(self.process_index).set("loaded", 1)

    @property
    def ready(self) -> bool:
        """The model is loaded, and was so once in every other server process."""
        return self.model is not None and self.counters.all_loaded
