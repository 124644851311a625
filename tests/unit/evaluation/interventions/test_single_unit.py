"""Any latent or neuron on any text: a pinned unit has its value, changes nothing else, and the page shows it."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.documents import from_json, to_json
from scripts.monosem.evaluation.interventions import pin as pinning
from scripts.monosem.evaluation.interventions import single_unit
from scripts.monosem.evaluation.interventions.document import UnitIntervention
from scripts.monosem.figures import interventions as figures
from scripts.monosem.models import sites, splice
from scripts.monosem.models.load import load_model
from scripts.monosem.reporting import intervention_page
from scripts.monosem.sae.model import load_sae
from tests.helpers import evaluation_world as world

TEXT = " ".join(f"w{token}" for token in (11, 12, 35, 41, 22, 13, 14, 3))
SETTINGS = {
    "site": world.POST, "run": None, "unit": 5, "doses": [0, 1, 3], "values": None, "text": TEXT, "prompt": "w11 w12",
    "samples": 2, "sample_tokens": 4, "random": 3, "tokens": 800, "context": world.CONTEXT,
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folders = world.make_world(tmp_path_factory.mktemp("world"), world.POST)
    vocabulary = {f"w{token}": token for token in range(world.VOCAB)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w1"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folders["tokenizer"] = folders["model"] / "tokenizer.json"
    tokenizer.save(str(folders["tokenizer"]))
    return folders


def pin_unit(folders, sae=None, **settings):
    settings = SETTINGS | settings | {"run": sae and sae.name}
    found = single_unit.pin_unit(folders["model"], folders["tokens"], folders["tokenizer"], sae, settings, 0, "cpu")
    return to_json(found)


def test_a_pinned_neuron_has_its_value_and_the_others_keep_theirs():
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    pinned = x + pinning.delta(None, x, torch.full((4,), 2), torch.full((4,), 7.0))
    torch.testing.assert_close(pinned[:, 2], torch.full((4,), 7.0))
    assert torch.equal(pinned[:, [0, 1, 3, 4, 5]], x[:, [0, 1, 3, 4, 5]])


def test_loss_by_token_equals_a_hook_written_out(folders):
    row = pin_unit(folders, values=[2.5], doses=None)["reading"]
    model = load_model(folders["model"])
    ids = torch.tensor([[0, *(int(word[1:]) for word in TEXT.split())]])

    def pin(_module, arguments):
        x = arguments[0].clone()
        x[:, 1:, 5] = 2.5
        return (x, *arguments[1:])

    def losses():
        logits = splice.unembedding_of(model).logits(model.transformer(ids).last_hidden_state)[0, :-1]
        return torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none").numpy()

    free = losses()
    handle = sites.resolve(model, world.POST).module.register_forward_pre_hook(pin)
    pinned = losses()
    handle.remove()
    assert row["loss_nats"] == pytest.approx(free, abs=1e-4)
    assert row["levels"][0]["change_nats"] == pytest.approx(pinned - free, abs=1e-4)
    assert np.abs(pinned - free).max() > 1e-3
    assert row["levels"][0]["change_nats"][0] == 0  # nothing is changed before the first token


def test_ablating_a_latent_that_is_silent_on_a_text_costs_nothing_and_one_that_fires_does(folders):
    parts = [pin_unit(folders, folders["random"], unit=unit, doses=[0], prompt=None)["reading"] for unit in range(24)]
    silent = [part for part in parts if max(part["activations"]) == 0]
    firing = [part for part in parts if max(part["activations"]) > 0]
    assert silent and firing
    for part in silent:
        assert part["levels"][0]["change_nats"] == pytest.approx([0] * 8, abs=1e-5)
    assert max(np.abs(part["levels"][0]["change_nats"]).max() for part in firing) > 1e-4


def test_writing_has_a_control_and_starts_from_the_same_free_distribution(folders):
    found = pin_unit(
        folders, folders["random"], unit=int(np.argmax(pin_unit(folders, folders["random"])["largest_activation"]))
    )
    part = found["writing"]
    assert len(found["random_units"]) == 3 and found["unit"] not in found["random_units"]
    assert [row["dose"] for row in part["levels"]] == [0.0, 1.0, 3.0]
    assert all(row["kl_nats"] >= 0 and len(row["continuations"]) == 2 for row in part["levels"])
    assert part["levels"][-1]["random_largest_kl_nats"] >= part["levels"][-1]["random_mean_kl_nats"] > 0
    again = pin_unit(folders, folders["random"], unit=found["unit"])["writing"]
    assert again == part  # the same random numbers


def test_a_unit_that_never_fires_needs_values(folders, tmp_path):
    sae = load_sae(folders["random"])
    dead = world.make_sae(
        tmp_path / "dead", world.POST, sae.cfg["metadata"]["model_sha256"], 1, b_dec=sae.b_dec,
        b_enc=torch.full((sae.d_sae,), -1e4),
    )  # fmt: skip
    with pytest.raises(artefacts.ArtefactError, match="latent 5 is never above 0 .* give `values`"):
        pin_unit(folders, dead)
    found = pin_unit(folders, dead, values=[1.0], doses=None)
    assert found["random_units"] == [] and found["reading"]["levels"][0]["value"] == 1.0
    intervention_page.page("dead", found)
    figures.unit_dose_response(found)  # also without a control


def test_texts_longer_than_the_context_are_cut_and_the_log_says_so(folders, capsys):
    made = pin_unit(folders, prompt=" ".join(["w3"] * 20), text=" ".join(["w4"] * 30))
    assert len(made["reading"]["tokens"]) == 15 and made["reading"]["cut"]
    assert made["writing"]["n_tokens"] == min(SETTINGS["sample_tokens"], 16 - 8)
    lines = capsys.readouterr().out
    assert "has 31 tokens, the context has room for 16: it is cut there" in lines
    assert "the prompt 'w3 w3 w3" in lines and "has 21 tokens, the context has room for 8" in lines


@pytest.mark.parametrize("part", [{}, {"text": None}, {"prompt": None}, {"values": [-1.0, 2.0], "doses": None}])
def test_the_page_and_its_figures(folders, part):
    document = pin_unit(folders, folders["random"], unit=2, **part)
    assert to_json(from_json(UnitIntervention, document)) == document
    page = intervention_page.page("mine", document)
    assert page.startswith("# Intervention mine\n") and "latent 2 of `random`" in page
    assert ("## While the model reads" in page) == (document["reading"] is not None)
    assert ("## While the model writes" in page) == (document["writing"] is not None)
    figures.loss_by_token(document)
    axis = figures.unit_dose_response(document).axes[0]
    lines = {line.get_label(): list(line.get_xdata()) for line in axis.lines}
    assert lines["latent 2"] == ([-1.0, 2.0] if "values" in part else [0.0, 1.0, 3.0])
