"""What goes out for texts that are answered together."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from consumers.inference.answers import Entry, answer
from consumers.records import BadRecordError
from model.predictor import Scored
from schemas.dead_letter import DeadLetter
from schemas.labeled_text import TextToClassify
from schemas.prediction import Prediction
from tests.consumers.raw import raw

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_answers_keep_their_order_and_are_stamped_when_all_is_predicted() -> None:
    order: list[str] = []

    def predict(texts: list[str]) -> list[Scored]:
        order.append("predict")
        return [Scored("up", {"up": 1.0})] * len(texts)

    def clock() -> datetime:
        order.append("clock")
        return AT

    predictor: Any = SimpleNamespace(predict=predict, version=3)
    tasks = ("mood", "prices", "none", "mood")
    entries = [Entry(raw(b"x"), TextToClassify(task=task, text="rates rose")) for task in tasks]
    entries.insert(1, Entry(raw(b"{"), BadRecordError("invalid_json", "no object")))
    out = answer(entries, {"mood": predictor, "prices": predictor, "none": None}, clock=clock)
    assert order == ["predict", "predict", "clock"]
    told = [one.reason if isinstance(one, DeadLetter) else one.task for one in out]
    assert told == ["mood", "invalid_json", "prices", "no_model", "mood"]
    assert {one.predicted_at for one in out if isinstance(one, Prediction)} == {AT}
