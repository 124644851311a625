"""GGUF files: made from small models of every known architecture, and read back to the same logits."""

import gguf as library
import numpy as np
import pytest
import torch

from scripts.monosem.core import artefacts
from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.models import gguf, gguf_header, gguf_tokenizer, load
from scripts.monosem.text.bpe import load_tokenizer
from tests.helpers import family_models
from tests.helpers.gguf_files import as_llama_cpp_permutes, write

MODELS = {
    "llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gemma": "gemma", "gemma2": "gemma2", "gemma3": "gemma3",
    "gpt2": "gpt2",
}  # fmt: skip


def gemma3_with_layers_of_its_default_types():
    """A GGUF file does not say which layers attend to a window only: every sixth does not."""
    from transformers import AutoModelForCausalLM, Gemma3TextConfig

    torch.manual_seed(0)
    shape = {**family_models.GEMMA_LIKE, "num_hidden_layers": 7}
    return AutoModelForCausalLM.from_config(Gemma3TextConfig(**shape)).eval()


@pytest.mark.parametrize("architecture, name", MODELS.items())
def test_a_model_written_by_llama_cpps_library_gives_the_same_logits(architecture, name, tmp_path):
    model = family_models.model(name) if name != "gemma3" else gemma3_with_layers_of_its_default_types()
    write(model, architecture, tmp_path / "model.gguf")
    origin = gguf.write_folder(tmp_path / "model.gguf", tmp_path / "folder")
    ours, tokens = load.load_model(tmp_path / "folder"), family_models.tokens()
    torch.testing.assert_close(ours(tokens).logits, model(tokens).logits, atol=1e-5, rtol=1e-5)
    assert origin["sha256"] == artefacts.sha256(tmp_path / "model.gguf")
    assert set(origin["quantisation"]) == {"F32"}


def test_a_quantised_file_is_the_model_with_its_dequantised_weights(tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(**{**family_models.LLAMA_LIKE, "hidden_size": 64, "intermediate_size": 96, "head_dim": 32})
    )
    kind = library.GGMLQuantizationType.Q8_0
    write(model, "llama", tmp_path / "model.gguf", kind=kind)
    origin = gguf.write_folder(tmp_path / "model.gguf", tmp_path / "folder")
    assert set(origin["quantisation"]) == {"Q8_0", "F32"}
    n_matrix = sum(p.numel() for p in model.parameters() if p.dim() == 2)
    assert origin["quantisation"]["Q8_0"] == n_matrix
    tokens = family_models.tokens()
    before = model(tokens).logits
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                rounded = library.dequantize(library.quantize(parameter.numpy(), kind), kind)
                parameter.copy_(torch.from_numpy(rounded.copy()))
    after = load.load_model(tmp_path / "folder")(tokens).logits
    torch.testing.assert_close(after, model(tokens).logits, atol=1e-5, rtol=1e-5)
    assert (after - before).abs().max() > 1e-4, "so that rounding can be seen"


def test_rotary_pairs_are_put_apart():
    """Pairs (x, y) of one head of four rows: x₀ y₀ x₁ y₁ -> x₀ x₁ y₀ y₁."""
    assert gguf.halves_apart(np.array([0, 10, 1, 11])[:, None], 1).ravel().tolist() == [0, 1, 10, 11]
    weight = np.arange(24.0).reshape(8, 3)
    assert np.array_equal(gguf.halves_apart(as_llama_cpp_permutes(weight, 2), 2), weight)


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda path: path.write_bytes(b"no model"), "is cut short or no GGUF file"),
        (lambda path: path.write_bytes(path.read_bytes()[:900]), "is cut short or no GGUF file"),
        (lambda path: path.unlink(), "is missing; give the path of a GGUF file"),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(tmp_path, change, sentence):
    path = tmp_path / "model.gguf"
    write(family_models.model("llama"), "llama", path)
    change(path)
    with pytest.raises(ArtefactError, match=sentence):
        gguf.write_folder(path, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_the_header_says_what_llama_cpps_library_says(tmp_path):
    path = tmp_path / "model.gguf"
    write(family_models.model("qwen3"), "qwen3", path)
    header, theirs = gguf_header.read(path, long_arrays=True), library.GGUFReader(path)
    ours = {"GGUF.version", "GGUF.tensor_count", "GGUF.kv_count"}
    assert header.fields == {key: field.contents() for key, field in theirs.fields.items() if key not in ours}
    assert {name: each.start for name, each in header.tensors.items()} == {
        each.name: each.data_offset for each in theirs.tensors
    }
    assert [each.shape for each in header.tensors.values()] == [tuple(each.shape) for each in theirs.tensors]
    short = gguf_header.read(path)
    assert gguf_header.config_of(short, path) == gguf_header.config_of(header, path)


def test_long_arrays_are_passed_over_where_they_are_not_asked_for(tmp_path, monkeypatch):
    path = tmp_path / "model.gguf"
    write(family_models.model("llama"), "llama", path)
    monkeypatch.setattr(gguf_header, "SHORT", 3)
    header, whole = gguf_header.read(path), gguf_header.read(path, long_arrays=True)
    assert header.fields["tokenizer.ggml.tokens"] is None and len(whole.fields["tokenizer.ggml.tokens"]) > 3
    assert header.tensors == whole.tensors and header.fields["tokenizer.ggml.merges"] == ["w 1", "w 2"]


@pytest.mark.parametrize(
    "quantisation, words",
    [
        ({"F32": 10}, None),
        ({"Q4_1": 79, "Q8_0": 21}, "weights rounded to 4 bits (Q4_1 79 %, Q8_0 21 %)"),
        ({"IQ2_XXS": 999, "F32": 1}, "weights rounded to 2 bits (IQ2_XXS 100 %)"),
        ({"BF16": 99, "F32": 1}, "weights rounded to 16 bits (BF16 99 %, F32 1 %)"),
    ],
)
def test_precision_of_a_file_is_put_in_words(quantisation, words):
    assert gguf.rounding_of(quantisation) == words


def test_a_file_cut_within_its_weights_is_refused(tmp_path):
    path = tmp_path / "model.gguf"
    write(family_models.model("llama"), "llama", path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtefactError, match="is cut short: tensor '.*' ends at byte"):
        gguf.write_folder(path, tmp_path / "folder")


def test_an_unknown_architecture_tensor_or_pre_tokenizer_is_named(tmp_path):
    path = tmp_path / "model.gguf"
    writer = library.GGUFWriter(path, "mamba")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ArtefactError, match="architecture 'mamba' is none of llama, qwen2"):
        gguf.write_folder(path, tmp_path / "folder")
    header = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": ["a"], "tokenizer.ggml.pre": "klingon"}
    with pytest.raises(ArtefactError, match="splits text as 'klingon', which is none of gpt-2, smollm"):
        gguf_tokenizer.tokenizer_of(lambda key, default=None: header.get(key, default), path)
    with pytest.raises(ArtefactError, match="kind 'bert'"):
        gguf_tokenizer.tokenizer_of(
            lambda key, default=None: {**header, "tokenizer.ggml.model": "bert"}.get(key, default), path
        )
    assert gguf.name_of("blk.3.ffn_gate_exps.weight", gguf_header.LAYOUTS["llama"]) is None


def test_a_resource_of_a_package_is_found_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "packed_model"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "a.gguf").write_bytes(b"")
    monkeypatch.syspath_prepend(tmp_path)
    assert gguf_header.resource("packed_model:a.gguf") == package / "a.gguf"
    assert gguf_header.resource("folder/b.gguf").name == "b.gguf"
    with pytest.raises(ArtefactError, match="has no file 'b.gguf'; its GGUF files: a.gguf"):
        gguf_header.resource("packed_model:b.gguf")
    with pytest.raises(ArtefactError, match="'no_such_package' is not installed"):
        gguf_header.resource("no_such_package:b.gguf")


def header_of(tokenizer_json: dict, types: dict[str, int], **more) -> gguf_tokenizer.Read:
    """Header of a byte-level BPE."""
    model = tokenizer_json["model"]
    vocabulary = {**model["vocab"], **{each["content"]: each["id"] for each in tokenizer_json["added_tokens"]}}
    tokens = sorted(vocabulary, key=vocabulary.get)
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"]]
    header = {
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.token_type": [types.get(token, gguf_tokenizer.NORMAL) for token in tokens],
        **{f"tokenizer.ggml.{key}": value for key, value in more.items()},
    }  # fmt: skip
    return lambda key, default=None: header.get(key, default)


TEXT = "In 1984 there were 12,345 people's  bridges;\n\n\tdef f(x):\n    return “naïve” 雪 שלום 🙂 <|endoftext|>"


@pytest.fixture(scope="module")
def trained():
    """A byte-level BPE trained on a few sentences."""
    import json

    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([TEXT, "there were bridges and people in 1984"] * 20, trainer)
    return json.loads(tokenizer.to_str())


@pytest.mark.parametrize("pre", ["gpt-2", "smollm", "llama-bpe", "qwen2"])
def test_byte_level_text_comes_back_and_digits_are_split_as_the_header_says(trained, tmp_path, pre):
    read = header_of(trained, {"<|endoftext|>": gguf_tokenizer.CONTROL}, pre=pre, eos_token_id=0)
    tokenizer, config = gguf_tokenizer.tokenizer_of(read, tmp_path)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    opened = load_tokenizer(tmp_path / "tokenizer.json")
    assert opened.decode(opened.encode(TEXT).ids, skip_special_tokens=False) == TEXT
    assert config["eos_token"] == "<|endoftext|>" and config["add_bos_token"] is False
    pieces = [piece for piece, _ in opened.pre_tokenizer.pre_tokenize_str("x 1984")]
    assert pieces[-1] == {"gpt-2": "Ġ1984", "smollm": "4", "llama-bpe": "4", "qwen2": "4"}[pre]
    assert len(pieces) == {"gpt-2": 2, "smollm": 6, "llama-bpe": 4, "qwen2": 6}[pre]
    if pre == "gpt-2":
        assert opened.encode(TEXT).ids == load_ids(trained, tmp_path)


def load_ids(trained, folder):
    import json

    (folder / "theirs.json").write_text(json.dumps(trained))
    return load_tokenizer(folder / "theirs.json").encode(TEXT).ids


def test_sentencepiece_text_comes_back_through_scores_and_bytes(tmp_path):
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    types = [gguf_tokenizer.UNKNOWN, *[gguf_tokenizer.CONTROL] * 2, *[gguf_tokenizer.BYTE] * 256]
    normal = ["▁", *"abcdehilnorstw", "▁a", "an", "▁an", "▁and", "th", "the", "▁the", "er", "in", "▁in"]
    scores = [0.0] * len(pieces) + [-float(i) for i in range(len(normal))]
    header = {
        "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": pieces + normal, "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.token_type": types + [gguf_tokenizer.NORMAL] * len(normal),
        "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.add_space_prefix": False,
    }  # fmt: skip
    tokenizer, config = gguf_tokenizer.tokenizer_of(lambda key, default=None: header.get(key, default), tmp_path)
    text = "the snow and 雪 in the wind"
    encoded = tokenizer.encode(text)
    assert tokenizer.decode(encoded.ids) == text and "<0xE9>" in encoded.tokens and "▁and" in encoded.tokens
    assert config["bos_token"] == "<s>" and config["add_bos_token"] is True
