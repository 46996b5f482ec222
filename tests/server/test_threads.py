"""What DRUM's requests share, and that our threads do not get in each other's way over it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sweeper.server.drum import PerThread, make_safe_for_threads, one_at_a_time

LIMIT_S = 20
THREADS = 8


def in_threads(function: Callable[[int], object]) -> list[object]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, range(THREADS)))


def test_an_attribute_that_every_thread_has_for_itself():
    class Owner:
        value = PerThread()

    first, second = Owner(), Owner()
    together = threading.Barrier(THREADS, timeout=LIMIT_S)

    def use(number: int) -> object:
        assert first.value is None
        first.value, second.value = number, -number
        together.wait()
        return first.value, second.value

    assert in_threads(use) == [(number, -number) for number in range(THREADS)]
    assert first.value is None


def test_a_method_that_runs_in_one_thread_at_a_time():
    class Total:
        value = 0

        def add(self, number: int) -> int:
            before = self.value
            threading.Event().wait(0.001)
            self.value = before + number
            return number

    one_at_a_time(Total, "add")
    total = Total()
    assert in_threads(total.add) == list(range(THREADS))
    assert total.value == sum(range(THREADS))


def labels_while_another_request_begins() -> object:
    """What a request for a binary model finds in DRUM's predictor when the next one has just come."""
    from datarobot_drum.drum.artifact_predictors.artifact_predictor import ArtifactPredictor
    from datarobot_drum.drum.artifact_predictors.sklearn_predictor import SKLearnPredictor
    from datarobot_drum.drum.enum import TargetType

    predictor = SKLearnPredictor()
    begun, seen = threading.Event(), threading.Event()

    class Halting:
        """A target type that stops the request as soon as it is looked at: the labels are cleared by then."""

        def __eq__(self, other: object) -> bool:
            begun.set()
            assert seen.wait(LIMIT_S)
            return other is TargetType.BINARY

        __hash__ = None
        value = "binary"

    def ask(target_type: object) -> None:
        labels = {"negative_class_label": "no", "positive_class_label": "yes"}
        ArtifactPredictor.predict(predictor, None, None, target_type=target_type, **labels)

    ask(TargetType.BINARY)
    other = threading.Thread(target=ask, args=(Halting(),))
    other.start()
    assert begun.wait(LIMIT_S)
    found = predictor.class_labels
    seen.set()
    other.join(LIMIT_S)
    return found


def test_drums_predictors_for_artifacts_note_labels_for_each_thread(monkeypatch):
    from datarobot_drum.drum.artifact_predictors.artifact_predictor import ArtifactPredictor
    from datarobot_mlops.channel.output_channel_queue import OutputChannelQueueSync

    # DRUM alone, which then asks whether there is a None in it. When this fails, ours is not needed any more.
    assert labels_while_another_request_begins() is None
    # Whatever is set here is taken back.
    monkeypatch.setattr(ArtifactPredictor, "class_labels", None, raising=False)
    monkeypatch.setattr(ArtifactPredictor, "target_type", None, raising=False)
    monkeypatch.setattr(OutputChannelQueueSync, "submit", OutputChannelQueueSync.submit)
    make_safe_for_threads()
    assert labels_while_another_request_begins() == ["no", "yes"]
