"""README and docs: links lead somewhere, commands exist, each snippet is planned, the cheap ones are run."""

import ast
import importlib
import json
import math
import random
import re
import shlex
import shutil
import struct
from pathlib import Path

import pytest
import torch
import yaml
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel

from tests.helpers import configuration

PAGES = {
    str(path): path.read_text(encoding="utf-8") for path in (Path("README.md"), *sorted(Path("docs").glob("*.md")))
}
TEXT = "\n".join(PAGES.values())
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.M | re.S)
COMMANDS = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines() if line.strip()]
SNIPPETS = [text for language, text in BLOCKS if language == "yaml"]
ADDED = ("topk-8192", "res-jb")  # added to the configuration: their uses join the others
SITE = "blocks.8.hook_resid_pre"


def title(snippet: str) -> str:
    """The innermost keys of a snippet's first lines, to tell it by."""
    return "-".join(re.findall(r"([\w-]+):", snippet)[:3])


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def tiny_model(folder: Path, n_layer: int) -> None:
    """A GPT-2 with random weights and a tokenizer of its own, as a user's folder."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([TEXT], trainer)
    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=n_layer, n_embd=32, n_head=2, n_positions=128, vocab_size=tokenizer.get_vocab_size(), bos_token_id=0,
        eos_token_id=0,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    write(folder / "tokenizer_config.json", {"eos_token": "<|endoftext|>"})


def write_hollow(path: Path, shapes: dict[str, list[int]]) -> None:
    """A whole safetensors file of zeros that takes no room on a disk."""
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)


@pytest.fixture
def user(clone, tmp_path, monkeypatch):
    """A copy of the repository with the folders and hub models that the pages name."""
    folder = tmp_path / "repository"
    shutil.copytree(clone, folder)
    cache = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    for number in range(120):  # letters that share no passage, or they would count as copies
        words = random.Random(number).sample(TEXT.split(), 300)
        write(folder / f"path/to/text/{number}.txt", f"Letter {number}. {' '.join(words)}")
    tiny_model(folder / "path/to/folder", 4)
    write(folder / "path/to/polite.yaml", yaml.safe_dump([f"Would you kindly take seat {n}?" for n in range(8)]))
    neox = {
        "model_type": "gpt_neox", "num_hidden_layers": 4, "hidden_size": 32, "intermediate_size": 64,
        "num_attention_heads": 2, "max_position_embeddings": 128, "vocab_size": 300,
    }  # fmt: skip
    gpt2 = {"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}
    for name, config in (("EleutherAI--pythia-70m", neox), ("gpt2", gpt2)):
        snapshot = cache / f"models--{name}/snapshots/main"
        write(snapshot / "config.json", config)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(folder / "path/to/folder" / file, snapshot / file)
        (snapshot / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")  # whole, and without a tensor
    sae = cache / f"models--jbloom--GPT2-Small-SAEs-Reformatted/snapshots/main/{SITE}"
    write(sae / "cfg.json", {"model_name": "gpt2-small", "hook_point": SITE, "d_in": 768, "d_sae": 24576})
    shapes = {"W_enc": [768, 24576], "b_enc": [24576], "W_dec": [24576, 768], "b_dec": [768]}
    write_hollow(sae / "sae_weights.safetensors", shapes)
    return folder


def merged(base: dict, snippet: dict) -> dict:
    """A configuration with a snippet in it, its uses of autoencoders beside those that are there."""
    made = dict(base)
    for key, value in snippet.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        made[key] = merged(base[key], value) if both else value
        if key == "use":
            made[key] = [*base[key], *value]
    return made


def overlay(folder: Path, snippet: str) -> None:
    """mine.yaml of a user who follows a page."""
    settings = yaml.safe_load(snippet)
    if any(name in snippet for name in ADDED):
        settings = {"sae": merged(configuration.default(folder=folder)["sae"], settings["sae"])}
    write(folder / "mine.yaml", yaml.safe_dump(settings, sort_keys=False))


def anchors(text: str) -> set[str]:
    """Anchors that headings of a page get: lower case, words joined by hyphens."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = Path(page).parent / file if file else Path(page)
        assert path.exists(), f"{page}: {target}"
        assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_paths_in_code_quotes_exist(page):
    quoted = re.findall(r"`((?:scripts|tests|paper|rules|profiles|envs|config|docs)/[\w./-]+)`", PAGES[page])
    assert not [path for path in quoted if not Path(path).exists()]


def test_pages_are_reached_from_the_readme():
    linked = {target for target in re.findall(r"\]\(([^)#\s]+)", PAGES["README.md"])}
    assert set(PAGES) - {"README.md"} <= linked


def test_the_readme_is_one_page():
    assert len(PAGES["README.md"].splitlines()) <= 120


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_exist(command):
    program, *words = shlex.split(command, comments=True)
    if program == "make":
        assert re.search(rf"^{words[0]}:", Path("Makefile").read_text(), re.M)
    elif program == "python":
        assert words[0] == "-m" and Path(*words[1].split(".")).with_suffix(".py").is_file()
    else:
        assert program == "snakemake"
        named = [words[i + 1] for i, word in enumerate(words) if word in ("--configfile", "--workflow-profile")]
        assert not [path for path in named if path != "mine.yaml" and not Path(path).exists()]


@pytest.mark.parametrize("snippet", [text for language, text in BLOCKS if language == "python"])
def test_imports_of_python_snippets_exist(snippet):
    for node in ast.walk(ast.parse(snippet)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert not [alias.name for alias in node.names if not hasattr(module, alias.name)]


def test_there_is_a_snippet_for_each_thing_of_ones_own():
    snippets = " ".join(SNIPPETS)
    for words in ("folder: path/to/text", "name: path/to/folder", "path/to/polite.yaml", "pretrained:", "named:"):
        assert words in snippets


@pytest.mark.parametrize("snippet", SNIPPETS, ids=map(title, SNIPPETS))
def test_every_snippet_can_be_planned(user, snakemake, snippet):
    overlay(user, snippet)
    done = snakemake(user, "-n", configfile="mine.yaml")
    assert done.returncode == 0, done.stdout[-3000:]
    if "res-jb" in snippet:
        assert re.search(r"^import_sae +1$", done.stdout, re.M)
    if "interventions:" in snippet and "named:" in snippet:
        assert re.search(r"^pin_unit +1$", done.stdout, re.M)


def test_the_example_of_ones_own_model_can_be_planned(user, snakemake):
    for target in ([], ["results/evaluation/mine/blocks.2.hook_resid_post/fidelity.json"]):
        done = snakemake(user, "-n", *target, configfile="config/examples/my-model.yaml")
        assert done.returncode == 0, done.stdout[-3000:]
        assert re.search(r"^train_sae +1$", done.stdout, re.M)
        assert bool(target) != bool(re.search(r"^unpack_language_model ", done.stdout, re.M))


@pytest.mark.parametrize(
    "wrong, sentence",
    [("d_in", "cfg.json says [64, 24576] (d_in 64"), ("hook_point", "the autoencoder reads 'another'")],
)
def test_a_snippet_that_does_not_fit_is_refused_before_any_job(user, snakemake, wrong, sentence):
    overlay(user, next(snippet for snippet in SNIPPETS if "res-jb" in snippet))
    (path,) = user.parent.glob(f"hub/*/snapshots/main/{SITE}/cfg.json")
    write(path, json.loads(path.read_text()) | {wrong: {"d_in": 64, "hook_point": "another"}[wrong]})
    done = snakemake(user, "-n", configfile="mine.yaml")
    assert done.returncode == 1 and sentence in done.stdout.splitlines()[-1]


def test_own_text_and_own_model_are_run(user, snakemake):
    """The corpus of the user's folder, and the user's model on it up to the evaluation of an autoencoder."""
    snippets = [next(s for s in SNIPPETS if words in s) for words in ("path/to/text", "path/to/folder")]
    settings = yaml.safe_load((user / "tests/smoke.yaml").read_text())
    for snippet in snippets:
        settings = merged(settings, yaml.safe_load(snippet))
    settings["activations"]["tokens"]["mine"] = 4000
    settings["sae"]["runs"]["topk-256"]["vectors"] = 2000
    settings["evaluation"] |= {"tokens": 1000, "tokens_of": {}}
    (user / "mine.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    target = "results/evaluation/mine/blocks.1.mlp.hook_post/fidelity.json"
    done = snakemake(user, target, configfile="mine.yaml")
    assert done.returncode == 0, done.stdout[-3000:]
    assert json.loads((user / "results/data/letters/manifest.json").read_text())["documents"] >= 100
    assert json.loads((user / target).read_text())["model"] == "mine"


@pytest.fixture(scope="module")
def changed(finished, tmp_path_factory):
    """A copy of the finished run."""
    folder = tmp_path_factory.mktemp("named") / "changed"
    shutil.copytree(finished, folder, symlinks=True)
    return folder


def test_the_interventions_are_run(changed, snakemake):
    snippet = next(snippet for snippet in SNIPPETS if "interventions:" in snippet and "named:" in snippet).replace(
        "topk-4096", "topk-256"
    )
    settings = merged(yaml.safe_load((changed / "tests/smoke.yaml").read_text()), yaml.safe_load(snippet))
    # a latent that fires: whichever the finished run found for a context
    (contexts,) = changed.glob("results/evaluation/*/*/topk-256/contexts.json")
    best = json.loads(contexts.read_text())["contexts"]
    settings["interventions"]["named"]["seventeen"]["unit"] = next(iter(best.values()))["latent"]["index"]
    (changed / "mine.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    folder = changed / "results/interventions/seventeen"
    done = snakemake(changed, "results/interventions/seventeen/intervention.md", configfile="mine.yaml")
    assert done.returncode == 0, done.stdout[-3000:]
    assert not re.search(r"^(train|extract)_\w+ +\d+$", done.stdout, re.M)
    assert "## While the model reads" in (folder / "intervention.md").read_text()
    assert (folder / "dose-response.svg").stat().st_size and (folder / "loss-by-token.png").stat().st_size


def test_the_command_line_is_run(changed, snakemake):
    (line,) = [line for _, text in BLOCKS for line in text.splitlines() if "--config 'interventions" in line]
    words = shlex.split(line)[3:]  # what follows `snakemake --cores 4`
    done = snakemake(changed, words[0], *words[1:])
    assert done.returncode == 0, done.stdout[-3000:]
    found = json.loads((changed / "results/interventions/ten/intervention.json").read_text())
    assert (found["kind"], found["unit"], found["reading"]["text"]) == ("neuron", 10, "See the docs.")
    assert found["writing"]["prompt"] == "See"
