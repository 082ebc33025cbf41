"""The test sets are scored slice by slice, and no text is encoded twice."""

from pathlib import Path
from unittest.mock import patch

from model.backtest.exam import Exam
from model.encoder import Encoder
from model.head import solve_discriminant
from model.statistics import Statistics
from tests.model.backtest.streams import a_slice
from tests.model.tiny import LABELS, tiny_encoder


def test_slices_that_share_a_test_set_share_its_features(tmp_path: Path) -> None:
    encoder = tiny_encoder(tmp_path / "tiny")
    slices = [a_slice("one", train=4), a_slice("two", train=4), a_slice("more", train=8)]
    tests = [text for each in slices for text in each.test]
    labels = [LABELS.index(text.label) for text in tests]
    features = encoder.features([text.text for text in tests])
    head = solve_discriminant(Statistics.of(features, labels, num_labels=3), shrinkage=0.3)

    with patch.object(Encoder, "features", autospec=True, side_effect=Encoder.features) as encoded:
        found = Exam(slices).right(encoder, head, LABELS)

    [call] = encoded.call_args_list
    assert len(call.args[1]) == len(set(call.args[1])) < len(tests)
    predicted = [LABELS[index] for index in head.predict(features)]
    expected = [answer == text.label for answer, text in zip(predicted, tests, strict=True)]
    assert [flag for flags in found for flag in flags] == expected
    assert found[0] == found[1] != found[2]
