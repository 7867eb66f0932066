from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from prometheus_client import REGISTRY

from hepar.contracts.analyses import Classification
from hepar.inference.model_cards import BrokenCard
from hepar.serving.app import NoModels
from tests.support.model_services import ModelServices
from tests.support.orientations import IMAGE_ORIENTATIONS
from tests.support.pictures import ct_dataset, dicom_bytes, encoded, gradient, nearly_flat
from tests.support.tiny_models import agree_on, write_classifier, write_mapped_classifier
from tests.support.triton import RunningTriton

PNG = {"content-type": "image/png"}


@pytest.fixture
def client(triton: RunningTriton, services: ModelServices) -> Iterator[TestClient]:
    with services.classify(triton.repository) as client:
        yield client


def classify(
    client: TestClient, content: bytes, kind: str = "image/png", **parameters: str | list[str]
) -> Classification:
    answer = client.post("/v1/classifications", params=parameters, content=content, headers={"content-type": kind})
    assert answer.status_code == 200, answer.text
    return Classification.model_validate_json(answer.content)


def test_votes_are_those_that_the_networks_compute(client: TestClient) -> None:
    dark, bright = classify(client, encoded(nearly_flat(0))), classify(client, encoded(nearly_flat(255)))
    assert dark.label == "metastasis"
    assert bright.votes[0].label == "cholangiocarcinoma"
    assert [vote.model for vote in dark.votes] == ["classify_bright", "classify_steady"]
    steady = np.exp([0, 1, 0]) / np.exp([0, 1, 0]).sum()
    assert list(dark.votes[1].probabilities.values()) == pytest.approx(steady.tolist(), abs=1e-6)
    mean = np.mean([list(vote.probabilities.values()) for vote in bright.votes], axis=0)
    assert list(bright.probabilities.values()) == pytest.approx(mean.tolist())
    assert bright.probability == pytest.approx(mean.max())
    assert (dark.agreeing_models, dark.voting_models) == (2, 2)
    assert (bright.agreeing_models, bright.voting_models) == (1, 2)
    assert "not a medical device" in dark.notice


def test_jpeg_and_dicom_are_classified(client: TestClient) -> None:
    assert classify(client, encoded(gradient(), "JPEG"), "image/jpeg").image.format == "JPEG"
    hu = np.tile(np.linspace(-100, 300, 80).astype(np.int32), (50, 1))
    answer = classify(client, dicom_bytes(ct_dataset(hu)), "application/dicom")
    assert (answer.image.format, answer.image.width, answer.image.height) == ("DICOM", 80, 50)
    assert answer.image.pixel_spacing_mm == (0.8, 0.7)


@pytest.mark.parametrize(("content", "status"), [(b"text", 415), (encoded(gradient())[:60], 422), (b"", 422)])
def test_an_invalid_image_is_a_client_error(client: TestClient, content: bytes, status: int) -> None:
    answer = client.post("/v1/classifications", content=content, headers=PNG)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_model_that_does_not_answer_is_reported_and_the_others_vote(
    triton: RunningTriton, tmp_path: Path, services: ModelServices
) -> None:
    repository = tmp_path / "models"
    shutil.copytree(triton.repository, repository)
    write_classifier(repository, "classify_absent", (1, 0, 0))
    with services.classify(repository) as client:
        answer = classify(client, encoded(gradient()))
        assert answer.missing_models == ["classify_absent"]
        assert REGISTRY.get_sample_value("hepar_missing_models_total", {"model": "classify_absent"}) == 1
        assert REGISTRY.get_sample_value("hepar_model_failures_total", {"model": "classify_absent"}) == 1
        assert len(answer.votes) == 2
        assert client.get("/readyz").status_code == 200
    with services.classify(repository, quorum=3) as client:
        refused = client.post("/v1/classifications", content=encoded(gradient()), headers=PNG)
        assert refused.status_code == 503
        assert refused.json()["type"].endswith("/below-quorum")
        assert refused.json()["detail"] == "2 of 3 models answered, 3 are required; try again soon"
        assert refused.headers["retry-after"] == "5"
        assert classify(client, encoded(gradient()), classifiers="classify_steady").label == "metastasis"
        assert client.get("/readyz").json() == {"ready": False, "parts": {"sign_in": True, "classifiers": False}}


def test_the_outcome_is_indeterminate_below_the_threshold(
    triton: RunningTriton, tmp_path: Path, services: ModelServices
) -> None:
    repository = tmp_path / "models"
    shutil.copytree(triton.repository / "classify_steady", repository / "classify_steady")
    card = repository / "classify_steady" / "card.json"
    card.write_text(card.read_text().replace('"decision_threshold": 0.5', '"decision_threshold": 0.9'))
    with services.classify(repository) as client:
        answer = classify(client, encoded(gradient()))
    assert (answer.outcome, answer.label, answer.most_probable_label) == ("indeterminate", None, "metastasis")
    assert answer.votes[0].label == "metastasis"


@pytest.mark.parametrize(
    ("fitted", "label"),
    [
        (
            {"method": "weighted_vote", "members": {"classify_bright": 1.0, "classify_steady": 0.0}},
            "cholangiocarcinoma",
        ),
        ({"method": "weighted_vote", "members": {"classify_bright": 0, "classify_steady": 2}}, "metastasis"),
        ({"method": "majority_vote", "decision_threshold": 0.6}, None),
        ({"method": "soft_vote", "temperature": 1.0, "decision_threshold": 0.6, "type_threshold": 0.99}, None),
        ({"method": "soft_vote", "temperature": 0.1, "decision_threshold": 0.9}, "cholangiocarcinoma"),
    ],
)
def test_the_fitted_method_of_the_cards_decides(
    triton: RunningTriton, tmp_path: Path, fitted: dict[str, object], label: str | None, services: ModelServices
) -> None:
    """On a white image one model is for cholangiocarcinoma (0.94), the other for metastasis (0.58)."""
    repository = tmp_path / "models"
    shutil.copytree(triton.repository, repository)
    agree_on(repository, ["classify_bright", "classify_steady"], **{"decision_threshold": 0.5} | fitted)
    with services.classify(repository) as client:
        answer = classify(client, encoded(nearly_flat(255)))
    assert (answer.outcome, answer.label) == ("type_undecided" if label is None else "decided", label)
    assert answer.tumour


def test_entropy_and_mutual_information_match_values_computed_by_hand(client: TestClient) -> None:
    """Entropy of the mean, minus the mean of the entropies."""
    answer = classify(client, encoded(nearly_flat(255)))
    probabilities = np.array([list(vote.probabilities.values()) for vote in answer.votes])

    def entropy(p: np.ndarray) -> float:
        return float(-(p * np.log(p)).sum())

    entropy_of_mean, mean_entropy = (
        entropy(probabilities.mean(axis=0)),
        np.mean([entropy(row) for row in probabilities]),
    )
    assert answer.entropy == pytest.approx(entropy_of_mean, abs=1e-3)
    assert answer.mutual_information == pytest.approx(entropy_of_mean - mean_entropy, abs=1e-3)
    assert answer.mutual_information is not None
    assert answer.mutual_information > 0.1
    alone = classify(client, encoded(nearly_flat(255)), classifiers="classify_steady")
    assert (alone.mutual_information, alone.agreeing_models, alone.voting_models) == (0, 1, 1)


def test_a_request_can_choose_the_method_and_the_models(
    triton: RunningTriton, tmp_path: Path, services: ModelServices
) -> None:
    repository = tmp_path / "models"
    shutil.copytree(triton.repository, repository)
    names = ["classify_bright", "classify_steady"]
    weighted: dict[str, object] = {"method": "weighted_vote", "members": {names[0]: 0.1, names[1]: 0.9}}
    majority: dict[str, object] = {"method": "majority_vote", "decision_threshold": 0.5}
    agree_on(
        repository, names, weighted | {"decision_threshold": 0.5}, majority, method="soft_vote", decision_threshold=0.5
    )
    white = encoded(nearly_flat(255))
    with services.classify(repository) as client:
        answer = classify(client, white)
        assert (answer.method, answer.label) == ("soft_vote", "cholangiocarcinoma")
        answer = classify(client, white, vote="weighted_vote")
        assert (answer.method, answer.label) == ("weighted_vote", "metastasis")
        answer = classify(client, white, vote="majority_vote")
        assert (answer.method, answer.probability) == ("majority_vote", 0.5)
        both = classify(client, white, classifiers=names)
        assert [vote.model for vote in both.votes] == names
        assert [v.model for v in classify(client, white, classifiers="classify_steady").votes] == ["classify_steady"]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"classifiers": "detect_left"}, "there is no model detect_left; there are classify_bright, classify_steady"),
        ({"vote": "weighted_vote"}, "not fitted together"),
        ({"vote": "loudest"}, "vote: Input should be"),
        ({"classifiers": ["x"] * 33}, "classifiers: List should have at most 32 items"),
    ],
)
def test_invalid_options_are_rejected(client: TestClient, parameters: dict[str, str], reason: str) -> None:
    answer = client.post("/v1/classifications", params=parameters, content=encoded(gradient()), headers=PNG)
    assert answer.status_code == 422
    assert reason in answer.json()["detail"]


def test_a_majority_vote_needs_no_fit(client: TestClient) -> None:
    assert classify(client, encoded(nearly_flat(0)), vote="majority_vote").probability == 1


def test_a_method_that_was_not_fitted_is_rejected(
    triton: RunningTriton, tmp_path: Path, services: ModelServices
) -> None:
    repository = tmp_path / "models"
    shutil.copytree(triton.repository, repository)
    agree_on(repository, ["classify_bright", "classify_steady"], method="soft_vote", decision_threshold=0.5)
    with services.classify(repository) as client:
        answer = client.post(
            "/v1/classifications", params={"vote": "majority_vote"}, content=encoded(gradient()), headers=PNG
        )
        assert answer.status_code == 422
        assert "they have soft_vote" in answer.json()["detail"]


def decoded_png(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_an_explanation_shows_the_activation_maps(
    triton: RunningTriton, tmp_path: Path, services: ModelServices
) -> None:
    """The map of one network is the brightness, here the right half of a wide image; that of the other is uniform."""
    repository = tmp_path / "models"
    write_mapped_classifier(repository, "mapped")
    write_classifier(repository, "classify_steady", (0, 1, 0))
    half = np.zeros((60, 120), dtype=np.uint8)
    half[:, 60:] = 250
    with services.classify(repository) as client:
        plain = classify(client, encoded(half))
        assert (plain.explanation, plain.votes[0].explanation) == (None, None)
        answer = classify(client, encoded(half), explain="true", explain_models="true")
    explanation = answer.votes[1].explanation
    assert explanation is not None
    assert explanation.label == "metastasis"
    values = np.array(explanation.activation_map)
    assert values[:, :30].max() == 0
    assert values[:, 34:].min() > 0.95
    assert explanation.share_in_boxes is None
    left, right = (decoded_png(explanation.overlay_png).getpixel((x, 28 + 200)) for x in (100, 700))
    assert left == (0, 0, 0)
    assert isinstance(right, tuple)
    assert right[0] > 240 > 200 > right[2], "a warm colour over white"
    assert decoded_png(explanation.overlay_png).info == {}
    assert answer.explanation is not None
    together = np.array(answer.explanation.activation_map)
    assert together[:, :30] == pytest.approx(0.5), "the map of the other model is uniform"
    assert together[:, 34:].min() > 0.95


def test_the_activation_map_of_a_turned_slice_is_that_of_the_image_as_sent(
    tmp_path: Path, services: ModelServices
) -> None:
    """The map of the network is the brightness: of a slice that is stored transposed, with high pixels."""
    repository = tmp_path / "models"
    write_mapped_classifier(repository, "mapped")
    values, turn = IMAGE_ORIENTATIONS["decubitus left"]
    upright = np.zeros((60, 120), dtype=np.int32)
    upright[:30, :40] = 250
    stored = np.ascontiguousarray(turn(upright)[::2])
    dataset = ct_dataset(stored)
    dataset.ImageOrientationPatient, dataset.PixelSpacing = values, ["1.6", "0.8"]
    with services.classify(repository) as client:
        answer = classify(client, dicom_bytes(dataset), explain="true")
    assert answer.explanation is not None
    activation = np.array(answer.explanation.activation_map)
    rows, columns = (np.arange(64)[:, None] + 0.5) / 64 * 60, (np.arange(64) + 0.5) / 64 * 60
    expected = stored[rows.astype(int), columns.astype(int)] / 250
    assert (np.abs(activation - expected) > 0.5).mean() < 0.02, "but for a cell at the edge"
    overlay = np.asarray(decoded_png(answer.explanation.overlay_png).convert("RGB")).astype(int)
    warm = overlay[28:-28, :, 0] - overlay[28:-28, :, 2] > 60
    zoom = 768 / 120
    assert warm.shape == (384, 768), "upright and undistorted"
    shown = upright[(np.arange(384) / zoom).astype(int)][:, (np.arange(768) / zoom).astype(int)] > 125
    assert (warm != shown).mean() < 0.05


def test_a_model_with_an_output_that_is_not_finite_is_left_out(
    triton: RunningTriton, tmp_path: Path, services: ModelServices
) -> None:
    repository = tmp_path / "models"
    write_classifier(repository, "not_a_number", (0, 1, 0))
    with services.classify(repository) as client:
        answer = client.post("/v1/classifications", content=encoded(gradient()), headers=PNG)
        assert answer.status_code == 502
    shutil.copytree(triton.repository / "classify_steady", repository / "classify_steady")
    with services.classify(repository) as client:
        assert classify(client, encoded(gradient())).missing_models == ["not_a_number"]


def test_a_model_with_weight_zero_decides_where_no_other_answers(
    triton: RunningTriton, tmp_path: Path, services: ModelServices
) -> None:
    repository = tmp_path / "models"
    shutil.copytree(triton.repository / "classify_steady", repository / "classify_steady")
    write_classifier(repository, "classify_absent", (9, 0, 0))
    weights = {"classify_absent": 1.0, "classify_steady": 0.0}
    agree_on(repository, list(weights), method="weighted_vote", members=weights, decision_threshold=0.5)
    with services.classify(repository) as client:
        answer = classify(client, encoded(gradient()))
    assert (answer.label, answer.missing_models) == ("metastasis", ["classify_absent"])


def test_a_model_added_after_the_fit_disables_the_fitted_ensemble(
    triton: RunningTriton, tmp_path: Path, services: ModelServices
) -> None:
    """Equal weights and the thresholds of the cards are used instead."""
    repository = tmp_path / "models"
    shutil.copytree(triton.repository, repository)
    agree_on(repository, ["classify_steady"], method="soft_vote", decision_threshold=0.99)
    with services.classify(repository) as client:
        assert classify(client, encoded(nearly_flat(0))).label == "metastasis"


def test_without_triton_the_response_is_503_or_504(triton: RunningTriton, services: ModelServices) -> None:
    with services.classify(triton.repository, triton="127.0.0.1:9") as client:
        answer = client.post("/v1/classifications", content=encoded(gradient()), headers=PNG)
        assert answer.status_code in (503, 504)
        assert answer.headers["content-type"] == "application/problem+json"
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200


def test_an_output_of_another_shape_than_the_card_states_is_a_502(
    triton: RunningTriton, tmp_path: Path, services: ModelServices
) -> None:
    write_classifier(tmp_path, "classify_steady", (0, 1, 0), labels=["a", "b", "c", "d"])
    with services.classify(tmp_path) as client:
        answer = client.post("/v1/classifications", content=encoded(gradient()), headers=PNG)
    assert answer.status_code == 502
    assert "classify_steady returned an invalid output logits" in answer.json()["detail"]


def test_models_with_different_labels_prevent_the_start(
    triton: RunningTriton, tmp_path: Path, services: ModelServices
) -> None:
    write_classifier(tmp_path, "classify_bright", (0, 1, 0))
    write_classifier(tmp_path, "classify_steady", (0, 1, 0), labels=["cholangiocarcinoma", "metastasis"])
    with pytest.raises(BrokenCard, match="other labels than classify_bright"), services.classify(tmp_path):
        pass


def test_a_repository_without_classifiers_prevents_the_start(tmp_path: Path, services: ModelServices) -> None:
    with (
        pytest.raises(NoModels, match="no model card for classification"),
        services.classify(tmp_path, triton="127.0.0.1:9"),
    ):
        pass


def test_the_openapi_document_describes_the_upload(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    body = document["paths"]["/v1/classifications"]["post"]["requestBody"]["content"]
    assert set(body) == {"multipart/form-data"}, "generators of clients read one form (docs/decisions/0034)"
    assert client.get("/docs").status_code == 200
