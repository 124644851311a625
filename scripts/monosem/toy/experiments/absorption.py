"""A hierarchy of features: does a sparse autoencoder keep the parent's latent on when a child is on, too?

A child is on only when its parent is. One latent for parent and child together is then sparser than one for each, so a
sparsity penalty lets the child's latent absorb the parent: the parent's latent falls silent exactly where a child is on
(feature absorption, Chanin et al. 2024). A Matryoshka dictionary has to reconstruct from its first latents alone, which
then cannot leave the parent to the children's latents (Bussmann et al. 2025). Directions are orthonormal and there are
as many latents as features, so that a perfect dictionary exists and superposition plays no part.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from scripts.monosem.core import job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.metrics import fidelity, matching
from scripts.monosem.sae import model
from scripts.monosem.toy import acceptance, train_sae
from scripts.monosem.toy.settings import AbsorptionConfig

BAR_ABSORPTION = 0.5
"""A parent counts as absorbed from here: a child takes half of its activation away."""
DATA = ("hierarchy", "independent")
"""Kinds of data; independent features are the control."""
MEASURES = (
    "absorption", "silent_with_child", "silent_alone", "child_leans_on_parent", "matched_share", "l0",
    "explained_variance",
)  # fmt: skip
"""Measurements that are averaged over seeds."""


def sample(
    config: AbsorptionConfig, n_samples: int, hierarchy: bool, generator: Generator
) -> Float[Tensor, "sample n"]:
    """Feature values; without `hierarchy` children have the same frequencies but do not wait for their parent."""
    shape = (n_samples, config.parents)
    parent_on = torch.rand(*shape, generator=generator) < config.parent_probability
    gate = parent_on if hierarchy else torch.rand(*shape, generator=generator) < config.parent_probability
    with_child = gate & (torch.rand(*shape, generator=generator) < config.child_share)
    child = torch.randint(config.children, shape, generator=generator)
    child_on = with_child[..., None] & (child[..., None] == torch.arange(config.children))
    on = torch.cat([parent_on, child_on.flatten(1)], dim=1)
    strength = config.weakest + (1.0 - config.weakest) * torch.rand(n_samples, config.n, generator=generator)
    return torch.where(on, strength, 0.0)


def absorption(
    values: Float[np.ndarray, "sample n"],
    latents: Float[np.ndarray, "sample latent"],
    cosines: Float[np.ndarray, "n latent"],
    parents: int,
) -> dict[str, float]:
    """Share of the parents' latents that goes missing where a child is on.

    `absorption`: (a − c) / max(a, c), with a and c the activation per unit of the parent alone and with a child. 0 for
    a latent that reports its feature whatever else is on, 1 for one that falls silent (as the absorption fraction of
    Karvonen et al. 2025), negative for one that the child adds to. `silent_with_child` and `silent_alone`: shares of
    the parent's occurrences without any activation. `child_leans_on_parent`: mean cosine between a child's latent and
    its parent's direction, 0 for a latent of the child alone.
    """
    latent = matching.one_to_one(cosines).columns
    children = (len(cosines) - parents) // parents
    measured = []
    for parent in range(parents):
        its_children = range(parents + parent * children, parents + (parent + 1) * children)
        on, has_child = values[:, parent] > 0, (values[:, its_children] > 0).any(axis=1)
        reported = latents[:, latent[parent]] / np.where(on, values[:, parent], 1.0)
        with_child, alone = reported[on & has_child], reported[on & ~has_child]
        missing, larger = alone.mean() - with_child.mean(), max(alone.mean(), with_child.mean())
        measured.append(
            {
                "absorption": missing / larger if larger > 0 else 0.0,
                "silent_with_child": (with_child == 0).mean(),
                "silent_alone": (alone == 0).mean(),
                "child_leans_on_parent": np.mean([cosines[parent, latent[child]] for child in its_children]),
            }
        )
    return {key: float(np.mean([entry[key] for entry in measured])) for key in measured[0]}


def grade(runs: list[dict[str, Any]], nested: dict[str, bool]) -> acceptance.Rules:
    """Absorption in the hierarchy, and none among independent features, each by the worst seed.

    Args: nested: name -> whether that dictionary is nested and therefore ought to absorb little (Bussmann et al. 2025).
    """
    rules = {}
    for name, is_nested in nested.items():
        measured = {
            data: [run["absorption"] for run in runs if (run["name"], run["data"]) == (name, data)] for data in DATA
        }
        if is_nested:
            rules[f"{name}_keeps_the_parent"] = acceptance.below(max(measured["hierarchy"]), BAR_ABSORPTION)
        else:
            rules[f"{name}_absorbs"] = acceptance.at_least(min(measured["hierarchy"]), BAR_ABSORPTION)
        rules[f"{name}_independent_does_not"] = acceptance.below(max(measured["independent"]), BAR_ABSORPTION)
    return rules


def run(config: AbsorptionConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train every architecture on a hierarchy and on independent features of the same frequencies.

    Returns the result as JSON values, and the cosines between features and matched latents of each first seed.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "directions"))
    directions = torch.linalg.qr(torch.randn(config.d, config.d, generator=generator))[0][: config.n]
    runs: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    progress = job.Progress(len(DATA) * len(config.architectures) * config.n_seeds, "SAEs")
    for data in DATA:
        hierarchy = data == "hierarchy"
        source = torch.Generator().manual_seed(derive_seed(seed, "samples", data))
        read = train_sae.Vectors(sample(config, config.vectors, hierarchy, source) @ directions)
        held_out = sample(config, config.held_out, hierarchy, source)
        h = held_out @ directions
        for name, params in config.architectures.items():
            for index in range(config.n_seeds):
                wanted = {**config.sae, "d_sae": config.n, **params}
                sae = train_sae.train(read, wanted, derive_seed(seed, "sae", index), device)
                f = model.encode(sae, h)
                cosines = matching.cosine_matrix(directions.numpy(), sae.W_dec.numpy())
                measured = absorption(held_out.numpy(), f.numpy(), cosines, config.parents)
                runs.append(
                    {
                        "name": name, "data": data, "seed": index, **measured,
                        "mmcs": matching.mmcs(cosines), "matched_share": matching.matched_share(cosines),
                        "l0": (f > 0).double().sum(1).mean().item(),
                        "explained_variance": fidelity.explained_variance_of(h, model.decode(sae, f)),
                    }
                )  # fmt: skip
                progress.update(len(runs), absorption=measured["absorption"])
                if index == 0:
                    columns = matching.one_to_one(cosines).columns
                    arrays[f"{name}_{data}"] = cosines[:, columns].astype(np.float32)
    true_l0 = (held_out > 0).double().sum(1).mean().item()
    means = {
        name: {
            data: {
                key: float(np.mean([run[key] for run in runs if (run["name"], run["data"]) == (name, data)]))
                for key in MEASURES
            }
            for data in DATA
        }
        for name in config.architectures
    }
    nested = {name: params["architecture"] == "matryoshka_batchtopk" for name, params in config.architectures.items()}
    result = {
        "true_l0": true_l0,
        "runs": runs,
        "models": means,
        "controls": {name: means[name]["independent"] for name in means},
        "acceptance": acceptance.to_json(grade(runs, nested)),
    }
    return result, arrays
