"""Claims of chapter 1 on autoencoders that are graded against known features."""

from scripts.monosem.reporting.ledger.claim import Claim, Control, Measured, Part, Subject, claim, in_words
from scripts.monosem.reporting.ledger.estimates import at_least, at_most, below, map_value
from scripts.monosem.reporting.ledger.toy_models import bound

SHARKEY = {
    "work": "Sharkey, Braun & Millidge 2022",
    "section": "Taking features out of superposition",
    "chapter": "toy",
}
MMCS = "mean max cosine, worst seed"
MATCHED = "features matched one to one, worst seed"
DUPLICATES = "latents that repeat another one, per feature"
ACTIVE = "L0 against the number of features that are active, relative difference"


def _controls(experiment: str) -> tuple[Control, ...]:
    names = {
        "random_dictionary": "random dictionary",
        "raw_basis": "raw basis",
        "pca": "principal components",
        "ica": "independent components",
    }
    rules = f"{{{experiment}}}:acceptance"
    return tuple(
        Control(
            Subject(name, {"mmcs": f"{rules}/{key}_fails_mmcs", "matched": f"{rules}/{key}_fails_matched_share"}),
            (MMCS, MATCHED),
        )
        for key, name in names.items()
    )


def _recovery(experiment: str, architecture: str, claim_id: str, sentence: str, explanation: str = "") -> Claim:
    rules = f"{{{experiment}}}:acceptance"
    mmcs, matched, active = (f"{rules}/{architecture}_{name}" for name in ("mmcs", "matched_share", "l0_over_true"))

    def predicate(of: Measured) -> list[Part]:
        ratio, largest = of("active"), of.constant(f"{active}/bound")
        away = map_value(ratio, lambda x: abs(x - 1))
        return [
            Part(MMCS, of("mmcs"), bound(of, mmcs, at_least), "fixed"),
            Part(MATCHED, of("matched"), bound(of, matched, at_least), "percent"),
            Part(DUPLICATES, of("duplicates"), bound(of, f"{rules}/{architecture}_duplicates", at_most), "fixed"),
            Part(ACTIVE, away, at_most(None if largest is None else largest - 1), "percent"),
        ]

    return Claim(
        **SHARKEY,
        id=claim_id,
        sentence=sentence,
        published=(in_words("MMCS close to one within a band of penalties"),),
        optional=f"the experiment {experiment}",
        subject=Subject(
            f"{architecture} autoencoders",
            {"mmcs": mmcs, "matched": matched, "active": active, "duplicates": f"{rules}/{architecture}_duplicates"},
        ),
        controls=(
            *_controls(experiment),
            Control(
                Subject(
                    "ReLU autoencoder of the smallest penalty", {"active": f"{{{experiment}}}:summary/0/l0_over_true"}
                ),
                (ACTIVE,),
            ),
            Control(
                Subject(
                    "the same dictionary with every matched latent twice",
                    {"duplicates": f"{rules}/{architecture}_doubled_duplicates"},
                ),
                (DUPLICATES,),
            ),
        ),
        explanation=explanation,
        predicate=predicate,
    )


RARE = "The rarest features are seen a few hundred times in training. Longer training finds more of them."

relu_recovers_features = _recovery(
    "recovery",
    "relu",
    "relu-recovers-features",
    "A ReLU autoencoder that sees only hidden activations of a toy model in superposition finds the model's true "
    "features, with as many latents active as there are features.",
)
topk_recovers_features = _recovery(
    "recovery", "topk", "topk-recovers-features", "A TopK autoencoder does, when k is the number of active features."
)
relu_recovers_sparse_combinations = _recovery(
    "sharkey",
    "relu",
    "relu-recovers-sparse-combinations",
    "ReLU autoencoders recover the directions behind sparse, correlated combinations of more features than dimensions.",
    RARE,
)
topk_recovers_sparse_combinations = _recovery(
    "sharkey", "topk", "topk-recovers-sparse-combinations", "TopK autoencoders do so too.", RARE
)

ABSORBED = "parent's activation that goes missing"
ABSORPTION = {"chapter": "toy", "optional": "the experiment absorption"}
RULES = "{absorption}:acceptance"


def _absorbs(architecture: str, label: str) -> Claim:
    def predicate(of: Measured) -> list[Part]:
        return [Part(ABSORBED, of("absorbed"), bound(of, f"{RULES}/{architecture}_absorbs", at_least), "percent")]

    return Claim(
        **ABSORPTION,
        work="Chanin et al. 2024",
        section="A is for Absorption (our toy version)",
        id=f"{architecture}-absorbs",
        sentence=f"Where one feature implies another, sparsity makes the latent of the specific one absorb the general "
        f"one, whose own latent does not fire exactly there: {label}, worst seed.",
        published=(in_words("latents of general features have holes where a specific one fires"),),
        subject=Subject("parents and children", {"absorbed": f"{RULES}/{architecture}_absorbs"}),
        controls=(
            Control(
                Subject(
                    "independent features of the same frequencies",
                    {"absorbed": f"{RULES}/{architecture}_independent_does_not"},
                ),
                (ABSORBED,),
            ),
        ),
        predicate=predicate,
    )


relu_absorbs = _absorbs("relu", "ReLU")
topk_absorbs = _absorbs("topk", "TopK")
batchtopk_absorbs = _absorbs("batchtopk", "BatchTopK")


@claim(
    **ABSORPTION,
    work="Bussmann et al. 2025",
    section="Matryoshka sparse autoencoders (our toy version)",
    sentence="A dictionary whose first latents must reconstruct alone does not absorb a general feature into special "
    "ones.",
    published=(in_words("less absorption than BatchTopK"),),
    subject=Subject("Matryoshka BatchTopK", {"absorbed": f"{RULES}/matryoshka_keeps_the_parent"}),
    controls=(
        Control(
            Subject("BatchTopK of the same L0, not nested", {"absorbed": f"{RULES}/batchtopk_absorbs"}), (ABSORBED,)
        ),
    ),
    explanation="BatchTopK keeps a mean number of latents, not one number per vector, so it can spend another latent "
    "where parent and child are both there. It absorbs less than TopK does, in some runs too little to serve as a "
    "control.",
)
def matryoshka_does_not_absorb(of: Measured) -> list[Part]:
    return [Part(ABSORBED, of("absorbed"), bound(of, f"{RULES}/matryoshka_keeps_the_parent", below), "percent")]
