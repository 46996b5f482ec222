"""What one server process is made of; the routes answer from this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.server.bodies import Bodies, room_bytes
from sweeper.server.counters import Counters
from sweeper.server.executor import PredictionExecutor
from sweeper.server.gate import Gate
from sweeper.server.parameters import Parameters

if TYPE_CHECKING:
    from sweeper.server.drum import Drum


@dataclass(slots=True)
class Service:
    """`drum` is None until the model is loaded."""

    parameters: Parameters
    code_dir: Path
    drum_options: Sequence[str]  # those of `drum server`, --code-dir and --address among them
    counters: Counters = field(default_factory=Counters)
    process_index: int = 0
    drum: Drum | None = None
    executor: PredictionExecutor = field(init=False)
    gate: Gate = field(init=False)
    bodies: Bodies = field(init=False)

    def __post_init__(self) -> None:
        parameters = self.parameters
        self.executor = PredictionExecutor(
            parameters.executor_workers,
            parameters.executor_queue_depth,
            parameters.executor_queue_timeout_s,
            self.counters.of_process(self.process_index),
        )
        self.gate = Gate(
            parameters.max_concurrent_requests, parameters.max_queue_depth, parameters.backpressure_timeout_s
        )
        self.bodies = Bodies(
            parameters.max_bodies_bytes or room_bytes(parameters.processes, parameters.max_upload_bytes)
        )

    def load(self) -> None:
        """Slow. Raises StartError."""
        from sweeper.server.drum import load

        self.drum = load(self.drum_options)
        self.counters.of_process(self.process_index).set("loaded", 1)

    @property
    def ready(self) -> bool:
        """The model is loaded, and was so once in every other server process."""
        return self.drum is not None and self.counters.all_loaded
