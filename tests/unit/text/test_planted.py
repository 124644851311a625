"""Planted documents: spans hold what their label says, splits share no sentence, one seed gives one text."""

import base64
import re
import unicodedata
from random import Random

import pytest

from scripts.monosem.text import contexts
from scripts.monosem.text.normalise import normalise
from scripts.monosem.text.planted import dna_base64, grammar
from scripts.monosem.text.planted import documents as planted


def spans_of(context: str, split: str = "train", n: int = 20_000, seed: int = 1) -> list[str]:
    """Texts of all spans of generated documents."""
    return [text[a:b] for text, spans in planted.documents(context, split, n, seed) for a, b, _ in spans]


@pytest.mark.parametrize("context", contexts.CONTEXTS)
def test_documents_are_normal_text_with_spans_in_order(context):
    for text, spans in planted.documents(context, "test", 10_000, 2):
        assert normalise(text) == text
        ends = [0] + [end for _, end, _ in spans]
        assert all(before <= start < end for before, (start, end, _) in zip(ends, spans, strict=False))
        assert {label for _, _, label in spans} == {context}


@pytest.mark.parametrize("context", contexts.CONTEXTS)
def test_many_documents_embed_their_context_in_english(context):
    documents = list(planted.documents(context, "train", 50_000, 3))
    embedded = [text for text, spans in documents if spans[0][0] > 0]
    assert len(embedded) > 0.5 * len(documents)


@pytest.mark.parametrize("context", contexts.CONTEXTS)
def test_amount_is_reached_and_hardly_exceeded(context):
    made = sum(map(len, spans_of(context, n=7_000)))
    assert 7_000 <= made < 7_000 + 250
    assert spans_of(context, n=0) == []


@pytest.mark.parametrize("context", contexts.CONTEXTS)
def test_same_seed_same_documents_other_seed_others(context):
    def made(seed):
        return list(planted.documents(context, "train", 3000, seed))

    assert made(5) == made(5)
    assert not {text for text, _ in made(5)} & {text for text, _ in made(6)}


@pytest.mark.parametrize(("context", "script"), [("arabic", "ARABIC"), ("hebrew", "HEBREW")])
def test_language_spans_are_written_in_their_script(context, script):
    letters = [letter for span in spans_of(context) for letter in span if letter.isalpha()]
    assert all(unicodedata.name(letter).startswith(script) for letter in letters)
    words = {word for span in spans_of(context, n=100_000) for word in re.findall(r"\w+", span) if word.isalpha()}
    assert len(words) > 450


@pytest.mark.parametrize("language", ["arabic", "hebrew"])
def test_no_sentence_of_one_split_is_in_another(language):
    def sentences(split):
        passages = (grammar.passage(language, Random(seed), split, 1500) for seed in range(30))
        return {sentence for passage in passages for sentence in re.split(r"(?<=[.?؟])\s", passage)}

    train, validation, test = (sentences(split) for split in ("train", "validation", "test"))
    assert min(map(len, (train, validation, test))) > 200
    assert not train & validation and not train & test and not validation & test


def test_arabic_verbs_and_adjectives_agree_with_feminine_nouns():
    assert grammar._arabic_past("كتب", True) == "كتبت"
    assert grammar._arabic_past("سقى", True) == "سقت"
    assert grammar._arabic_past("دافع عن", True) == "دافعت عن"
    text = grammar.passage("arabic", Random(0), "train", 200_000)
    assert not re.search(r"كانت \S+ [^\s.،؟]*[^ة] جدا", text)


def test_dna_has_four_letters_and_genes_end_in_their_first_stop():
    assert set("".join(spans_of("dna"))) <= set("ACGT\n ")
    gene = dna_base64._gene(Random(0), 60)
    codons = [gene[start : start + 3] for start in range(0, len(gene), 3)]
    assert codons[0] == "ATG" and codons[-1] in dna_base64.STOPS
    assert not set(codons[:-1]) & set(dna_base64.STOPS)
    assert len(dna_base64.CODONS) == 61
    assert len(dna_base64.dna(Random(1), 777)) == 777


def test_base64_spans_decode():
    for text, spans in planted.documents("base64", "train", 20_000, 4):
        for start, end, _ in spans:
            assert base64.b64decode(text[start:end].replace("\n", ""), validate=True)


@pytest.mark.parametrize("context", contexts.CONTEXTS)
def test_contexts_are_recognised_in_natural_text(context):
    assert all(contexts.occurs(span, (context,)) for span in spans_of(context) if len(span) > 150)


@pytest.mark.parametrize(
    "text",
    [
        "https://huggingface.co/docs/transformers/main/en/model_doc/gpt2#transformers.GPT2LMHeadModel",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709da39a3ee5e6b4b0d3255bfef",
        "Sm100BlockScaledPersistentDenseGemmKernelForHopper",
        "The DNA bases are A, C, G and T; ATTACGA is short.",
    ],
)
def test_paths_hashes_and_names_are_no_context(text):
    assert not contexts.occurs(text, contexts.CONTEXTS)


@pytest.mark.parametrize("context", contexts.CONTEXTS)
def test_labels_by_rule_are_those_of_planted_documents(context):
    """The rule for natural text gives the characters that the generator labelled, but for a few at the edges."""
    same = total = 0
    for text, spans in planted.documents(context, "train", 30_000, 7):
        marks = [
            {place for a, b, _ in each for place in range(a, b)} for each in (spans, contexts.spans(text, (context,)))
        ]
        same += len(marks[0] & marks[1])
        total += len(marks[0] | marks[1])
    assert same / total > 0.97
