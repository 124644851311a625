"""Files of a model that do not belong together are refused in one sentence, from their headers."""

import json

import pytest

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.models import fit
from tests.helpers import family_models

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4665\nsize 12345\n"


def put(folder, name="llama", **options):
    family_models.model(name).save_pretrained(folder, **options)
    family_models.save_tokenizer(folder)
    return folder


@pytest.mark.parametrize("name", ["gpt2", "pythia", "llama", "gemma3", "opt"])
def test_rows_of_the_embedding_are_found_in_every_family(tmp_path, name):
    fit.check(put(tmp_path, name))
    assert fit.embedding_rows(tmp_path) == (family_models.VOCAB, tmp_path / "model.safetensors")


def test_rows_are_found_in_the_file_that_has_them(tmp_path):
    put(tmp_path, max_shard_size="4KB")
    rows, path = fit.embedding_rows(tmp_path)
    assert rows == family_models.VOCAB and path.name.startswith("model-0000")
    fit.check(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_pointer_of_git_lfs_is_no_file(tmp_path, name):
    (put(tmp_path) / name).write_text(POINTER)
    with pytest.raises(ArtefactError, match=f"{name} is a pointer of git-lfs and not the file itself; `git lfs pull`"):
        fit.check(tmp_path)


def test_weights_of_another_vocabulary_than_config_json_has(tmp_path):
    config = json.loads((put(tmp_path) / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"vocab_size": 48}))
    with pytest.raises(ArtefactError, match="vocab_size is 48, but the embedding in model.safetensors has 50 rows"):
        fit.check(tmp_path)


def test_tokens_beyond_the_embedding(tmp_path):
    family_models.save_tokenizer(put(tmp_path), 52)
    with pytest.raises(ArtefactError, match=r"'w50' \(one of 2 such tokens\) has the id 50, but .* has 50 rows"):
        fit.check(tmp_path)


def with_special_token(folder, token):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens([token])
    tokenizer.save(str(folder / "tokenizer.json"))


def test_the_token_before_documents_is_within_the_embedding(tmp_path):
    with_special_token(put(tmp_path), "<s>")
    fit.check(tmp_path)  # it is never read from text
    (tmp_path / "tokenizer_config.json").write_text('{"bos_token": "<s>"}')
    with pytest.raises(ArtefactError, match=r"'<s>' \(the token before each document\) has the id 50, but"):
        fit.check(tmp_path)


@pytest.mark.parametrize("change", [lambda whole: whole[:-5], lambda whole: whole[:5], lambda _: b"{}", lambda _: b""])
def test_weights_that_are_cut_are_refused_without_the_advice_to_delete_them(tmp_path, change):
    path = put(tmp_path) / "model.safetensors"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ArtefactError, match="is cut short or no safetensors file .* put a whole file in its place"):
        fit.check(tmp_path)
