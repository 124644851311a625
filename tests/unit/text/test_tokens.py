"""Tokens: nothing is lost, labels are those of their characters, windows tile the stream, cut files are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.monosem.core import artefacts
from scripts.monosem.text import bpe, contexts, corpus, tokens
from scripts.monosem.text.planted import documents as planted

PROSE = "The sum of the first n numbers is n (n + 1) / 2, as Gauss knew; see the function `sum` in the library. "


def documents_for(n: int = 120) -> list[corpus.Document]:
    """Natural and planted documents in all splits."""
    made = []
    for number in range(n):
        split = ("train", "train", "validation", "test")[number % 4]
        made.append(corpus.Document("stdlib", split, f"Document {number}. {PROSE * (number % 5 + 1)}"))
    for split in corpus.SPLITS:
        for context in contexts.CONTEXTS:
            made += [corpus.Document("planted", split, *item) for item in planted.documents(context, split, 1500, 1)]
    return made


@pytest.fixture(scope="module")
def tokenizer_path(tmp_path_factory):
    """A tokenizer of 600 tokens."""
    folder = tmp_path_factory.mktemp("tokenizer")
    corpus.write(documents_for(), folder / "documents.jsonl")
    bpe.train_tokenizer(folder / "documents.jsonl", 600, folder / "tokenizer.json", folder / "tokenizer_config.json")
    return folder / "tokenizer.json"


@pytest.fixture(scope="module")
def shards(tokenizer_path):
    """Folder of token shards."""
    folder = tokenizer_path.parent / "bpe-600"
    tokens.tokenize_corpus(tokenizer_path.with_name("documents.jsonl"), tokenizer_path, folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(tokenizer_path):
    """The tokenizer as the project opens it."""
    return bpe.load_tokenizer(tokenizer_path)


def test_the_manifest_says_how_much_held_out_text_stands_in_train(tokenizer_path, tmp_path):
    known, new = (
        "alpha beta gamma delta epsilon zeta eta theta iota " * 9,
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18",
    )
    texts = {"train": [known], "validation": [known], "test": [known, new]}
    documents = [corpus.Document("a", split, text) for split, made in texts.items() for text in made]
    documents.append(corpus.Document("planted", "test", known, ((0, 5, "dna"),)))
    corpus.write(documents, tmp_path / "documents.jsonl")
    facts = tokens.tokenize_corpus(tmp_path / "documents.jsonl", tokenizer_path, tmp_path / "tokens")["splits"]
    tokenizer = bpe.load_tokenizer(tokenizer_path)
    n_known, n_new = (len(tokenizer.encode(text).ids) for text in (known, new))
    assert facts["test"]["verbatim_in_train"]["n_tokens"] == n_known  # the planted copy does not count
    assert facts["test"]["verbatim_in_train"]["share"] == n_known / (n_known + n_new)
    assert facts["validation"]["verbatim_in_train"]["share"] == 1
    assert "verbatim_in_train" not in facts["train"]
    n_labelled = facts["test"]["n_labelled_tokens"]["dna"]
    assert n_labelled > 0 and facts["test"]["labelled_share"] == n_labelled / facts["test"]["n_tokens"]


MIXED = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("אבגדהوزحطي👩‍🔬🇩🇪 \n\t\x00\x1b\u200f\u0301"),
    )
)


@given(MIXED)
@settings(max_examples=200, deadline=None)
def test_every_text_decodes_to_itself(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text
    assert 0 not in ids


@pytest.mark.parametrize("text", ["<|endoftext|>", "a<|endoftext|>b", "the string '<|endoftext|>' <|endoftext|>"])
def test_a_literal_end_of_text_is_plain_text(tokenizer, text):
    (encoded,) = tokens.encode_documents(tokenizer, [corpus.Document("a", "train", text)])
    assert 0 not in encoded.ids and len(encoded.ids) >= 3 and encoded.difference is None


def test_end_of_text_is_id_zero_and_nothing_is_added(tokenizer):
    assert tokenizer.token_to_id(bpe.END_OF_TEXT) == 0
    assert tokenizer.encode("").ids == []
    assert tokenizer.get_vocab_size() == 600


def test_training_is_deterministic(tokenizer_path, tmp_path):
    for threads in (1, 2):
        path = tmp_path / f"{threads}.json"
        documents = tokenizer_path.with_name("documents.jsonl")
        bpe.train_tokenizer(documents, 600, path, tmp_path / "config.json", threads)
        assert path.read_bytes() == tokenizer_path.read_bytes()


def test_the_tokenizer_sees_the_train_split_only(tmp_path):
    made = [corpus.Document("a", split, word * 200) for split, word in (("train", "apple "), ("test", "zebra "))]
    corpus.write(made, tmp_path / "documents.jsonl")
    bpe.train_tokenizer(tmp_path / "documents.jsonl", 261, tmp_path / "t.json", tmp_path / "c.json")
    vocabulary = bpe.load_tokenizer(tmp_path / "t.json").get_vocab()
    assert any("app" in token for token in vocabulary) and not any("ze" in token for token in vocabulary)


@pytest.mark.parametrize(("size", "message"), [(256, "at least 257"), (5000, "lower it or give more text")])
def test_impossible_vocabularies_are_refused(size, message):
    with pytest.raises(artefacts.ArtefactError, match=message):
        bpe.train_bpe(["a small text"], size)


def test_transformers_opens_the_folder_and_encodes_alike(tokenizer_path, tokenizer):
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(tokenizer_path.parent)
    assert theirs.eos_token_id == theirs.bos_token_id == theirs.unk_token_id == 0
    for document in documents_for(8):
        assert theirs(document.text)["input_ids"] == tokenizer.encode(document.text).ids
        assert theirs.decode(theirs(document.text)["input_ids"]) == document.text


def test_labels_of_a_hand_made_document(tokenizer):
    document = corpus.Document("planted", "train", "He says: שלום ACGT", ((8, 13, "hebrew"), (13, 18, "dna")))
    (encoded,) = tokens.encode_documents(tokenizer, [document])
    ids, labels = encoded.ids, encoded.labels
    texts = [tokenizer.decode(np.array(ids)[labels == label].tolist()) for label in (0, 2, 3)]
    assert texts == ["He says:", " שלום", " ACGT"]
    assert len(ids) == len(labels) and labels.dtype == np.uint8


def test_a_token_of_half_a_character_has_that_characters_label(tokenizer):
    document = corpus.Document("planted", "train", "x𐤀", ((1, 2, "hebrew"),))
    (encoded,) = tokens.encode_documents(tokenizer, [document])
    assert encoded.labels.tolist() == [0, 2, 2, 2, 2]


@pytest.mark.parametrize(
    "text, back, sentence",
    [
        ("one", "one", None),
        ("Hello there", "hello there", "at character 0 'Hello there' became 'hello there'"),
        ("x" * 50 + "▁" + "y" * 50, "x" * 50 + " " + "y" * 50,
         f"at character 50 {'x' * 20 + '▁' + 'y' * 19!r} became {'x' * 20 + ' ' + 'y' * 19!r}"),
        ("abc", "ab", "at character 2 'abc' became 'ab'"),
    ],
)  # fmt: skip
def test_a_difference_is_shown_with_what_is_around_it(text, back, sentence):
    assert tokens.difference(text, back) == sentence


def gemma_like(folder):
    """A tokenizer that writes blanks as ▁ and falls back to bytes, as those of Gemma, Mistral and Llama 2."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    vocabulary = {"<s>": 0, **{f"<0x{byte:02X}>": byte + 1 for byte in range(256)}, "▁": 257}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True, unk_token="<s>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"bos_token": "<s>"}')
    return folder / "tokenizer.json"


def test_a_document_that_does_not_come_back_is_left_out_and_counted(tmp_path, capsys):
    texts = ["plain text", "a literal ▁ here", "more text"]
    made = [corpus.Document("a", split, f"{split}: {text}") for split in corpus.SPLITS for text in texts]
    made.append(corpus.Document("a", "test", "▁"))
    corpus.write(made, tmp_path / "documents.jsonl")
    manifest = tokens.tokenize_corpus(tmp_path / "documents.jsonl", gemma_like(tmp_path), tmp_path / "shards")
    assert manifest["round_trip_failures"] == 4 and manifest["splits"]["train"]["n_documents"] == 2
    lost = manifest["left_out"]["test"]
    assert lost["documents"] == 2 and lost["characters"] == len("test: a literal ▁ here") + 1
    assert lost["first"] == "at character 16 'test: a literal ▁ here' became 'test: a literal   here'"
    lines = capsys.readouterr().out
    assert "6 documents" in lines and "left out of test: 2 documents (23 characters) that do not come back" in lines
    stream = tokens.load_tokens(tmp_path / "shards", "test")
    assert len(stream.characters) == 2 == (stream.tokens == 0).sum()


def test_a_tokenizer_from_which_nothing_comes_back_is_refused(tokenizer, tokenizer_path, tmp_path):
    from tokenizers import Tokenizer, normalizers

    lossy = Tokenizer.from_str(tokenizer.to_str())
    lossy.normalizer = normalizers.Lowercase()
    lossy.save(str(tmp_path / "tokenizer.json"))
    made = [corpus.Document("a", split, f"One Two of {split}") for split in corpus.SPLITS]
    corpus.write(made, tmp_path / "documents.jsonl")
    with pytest.raises(
        artefacts.ArtefactError, match=r"none of the 1 documents of the train split .*'one two of train'"
    ):
        tokens.tokenize_corpus(tmp_path / "documents.jsonl", tmp_path / "tokenizer.json", tmp_path / "shards")


def test_the_stream_is_the_documents(shards, tokenizer):
    documents = documents_for()
    manifest = artefacts.read_json(shards / "manifest.json")
    for split in corpus.SPLITS:
        stream = tokens.load_tokens(shards, split)
        mine = [document for document in documents if document.split == split]
        assert (stream.tokens[stream.documents[:-1]] == 0).all() and (stream.tokens == 0).sum() == len(mine)
        assert stream.documents[-1] == len(stream.tokens) == len(stream.labels)
        for number, document in enumerate(mine):
            start, end = stream.documents[number : number + 2]
            assert tokenizer.decode(stream.tokens[start + 1 : end].tolist()) == document.text
            assert stream.characters[number] == len(document.text)
            assert stream.natural[number] == (document.source != "planted")
            assert (stream.labels[start:end].max() > 0) == bool(document.spans)
        facts = manifest["splits"][split]
        assert facts["n_natural_characters"] == sum(len(d.text) for d in mine if d.source != "planted")
        natural = np.repeat(stream.natural, np.diff(stream.documents))
        assert facts["n_natural_tokens"] == natural.sum() < facts["n_tokens"]
        assert stream.tokens.dtype == np.uint16
    assert manifest["files"]["test.tokens.npy"] == artefacts.sha256(shards / "test.tokens.npy")


def test_a_pretrained_tokenizer_with_its_end_of_text_last(tokenizer, tokenizer_path, tmp_path):
    """As in GPT-2: <|endoftext|> is the last id, and offsets are trimmed."""
    from tokenizers import Tokenizer, models, processors

    vocabulary = {token: index - 1 for token, index in tokenizer.get_vocab().items() if index}
    theirs = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    theirs.pre_tokenizer, theirs.decoder = tokenizer.pre_tokenizer, tokenizer.decoder
    theirs.post_processor = processors.ByteLevel(trim_offsets=True)
    theirs.add_special_tokens([bpe.END_OF_TEXT])
    theirs.save(str(tmp_path / "tokenizer.json"))
    documents = tokenizer_path.with_name("documents.jsonl")
    manifest = tokens.tokenize_corpus(documents, tmp_path / "tokenizer.json", tmp_path / "shards")
    assert manifest["eos_token_id"] == 599
    stream = tokens.load_tokens(tmp_path / "shards", "test")
    assert (stream.tokens[stream.documents[:-1]] == 599).all() and (stream.tokens == 599).sum() == len(stream.natural)


@pytest.mark.parametrize("part", tokens.PARTS)
def test_a_file_cut_short_or_changed_is_refused_by_name(shards, tmp_path, part):
    for path in shards.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    name = f"test.{part}.npy"
    whole = (shards / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:-3])
    with pytest.raises(artefacts.ArtefactError, match=name):
        tokens.load_tokens(tmp_path, "test")
    (tmp_path / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(artefacts.ArtefactError, match=name):
        tokens.load_tokens(tmp_path, "test")
    artefacts.save_npy(np.load(shards / name)[:-1], tmp_path / name)
    with pytest.raises(artefacts.ArtefactError, match=name):
        tokens.load_tokens(tmp_path, "test")
    (tmp_path / name).unlink()
    with pytest.raises(artefacts.ArtefactError, match=name):
        tokens.load_tokens(tmp_path, "test")


def stream_of(n: int) -> tokens.TokenStream:
    """A stream of one document."""
    zeros = np.zeros(n, np.uint8)
    ends, one = np.array([0, n]), np.ones(1)
    return tokens.TokenStream(np.arange(n), zeros, ends, one.astype(int), one.astype(bool), 0, n)


@given(st.integers(1, 500), st.integers(1, 60), st.none() | st.integers(0, 9), st.none() | st.integers(1, 600))
def test_windows_tile_the_stream(n, context, seed, n_tokens):
    stream = stream_of(n)
    if n < context:
        with pytest.raises(artefacts.ArtefactError):
            tokens.windows(stream, context, n_tokens, seed)
        return
    starts = tokens.windows(stream, context, n_tokens, seed)
    every = tokens.windows(stream, context)
    assert every.tolist() == list(range(0, n - context + 1, context))
    assert len(set(starts.tolist())) == len(starts) and set(starts.tolist()) <= set(every.tolist())
    wanted = len(every) if n_tokens is None else min(len(every), -(-n_tokens // context))
    assert len(starts) == wanted


def test_windows_are_shuffled_by_their_seed():
    stream = stream_of(1000)
    assert tokens.windows(stream, 10, None, 1).tolist() == tokens.windows(stream, 10, None, 1).tolist()
    assert tokens.windows(stream, 10, None, 1).tolist() != tokens.windows(stream, 10, None, 2).tolist()


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("end_of_text", [0, 7])
def test_kept_positions_drop_end_of_text_even_when_its_id_is_zero(backend, end_of_text):
    batch = np.array([[0, 5, 7], [3, 0, 7]])
    if backend == "torch":
        import torch

        batch = torch.from_numpy(batch)
    everywhere = tokens.kept_positions(batch, end_of_text, False)
    later = tokens.kept_positions(batch, end_of_text, True)
    assert everywhere.tolist() == [[token != end_of_text for token in row] for row in batch.tolist()]
    assert later[:, 1:].tolist() == everywhere[:, 1:].tolist() and not later[:, 0].any()


@pytest.mark.parametrize(
    "config, expected",
    [
        ({"bos_token": "<s>", "eos_token": "</s>"}, "<s>"),
        ({"bos_token": None, "eos_token": {"content": "</s>"}}, "</s>"),
        ({}, "<|endoftext|>"),
        ({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True}, "<s>"),
        ({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": False}, "<|endoftext|>"),  # as in Qwen, SmolLM
        ({"bos_token": "<s>", "tokenizer_class": "GPT2TokenizerFast"}, "<|endoftext|>"),
        ({"bos_token": "<s>", "tokenizer_class": "LlamaTokenizer"}, "<s>"),
    ],
)
def test_documents_begin_with_the_tokenizers_own_mark(tmp_path, config, expected):
    import json

    from tokenizers import Tokenizer, models

    vocabulary = {"<|endoftext|>": 0, "<s>": 1, "</s>": 2}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<s>"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert bpe.end_of_text_id(tokenizer, tmp_path / "tokenizer.json") == vocabulary[expected]
