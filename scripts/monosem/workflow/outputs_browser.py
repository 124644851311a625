"""Files of the feature browser of a configuration. Read while the workflow is parsed: no torch, no numpy."""

from dataclasses import dataclass

from scripts.monosem.browser import names
from scripts.monosem.workflow import plan
from scripts.monosem.workflow.plan import Config, Plan

PAGE = "results/browser/index.html"


@dataclass(frozen=True)
class Browsed:
    """One autoencoder of the page."""

    model: str
    site: str
    run: str
    runs: bool
    """It runs in the page; else everything about it is computed beforehand."""

    @property
    def read(self) -> str:
        """The file from which its latents' examples are taken: codes of held-out text, or stored activations."""
        if self.runs:
            return f"results/evaluation/{self.model}/{self.site}/{self.run}/codes.npz"
        return f"results/activations/{self.model}/{self.site}/manifest.json"


def browsed(config: Config, the_plan: Plan) -> list[Browsed]:
    """The autoencoders of the page, in the order of the configuration."""
    made = []
    for model, site, run in the_plan.browsed:
        shape = plan.architecture(config, model)
        if shape is not None and "vocab_size" not in shape:  # of a model that is trained here: its tokenizer's
            shape = {**shape, "vocab_size": config["tokenizer"]["vocab_size"]}
        made.append(Browsed(model, site, run, names.runs_in_page(plan.kind_of(config, model), shape, site)))
    return made


def data_files(config: Config, the_plan: Plan) -> list[str]:
    """The files that the page loads."""
    stems = []
    for each in browsed(config, the_plan):
        text = names.text_of(plan.tokenizer_of(config, each.model), each.model, each.site, each.runs)
        stems.append(names.file_of_text(text))
        stems.append(names.file_of_dictionary(each.model, each.site, each.run))
        if each.runs:
            stems.append(names.file_of_model(each.model))
            stems.append(names.file_of_dictionary(each.model, each.site, "neurons"))
    return [f"results/browser/data/{stem}.js" for stem in dict.fromkeys(stems)]


def pages(the_plan: Plan) -> list[str]:
    """The page, if anything is browsed."""
    return [PAGE] if the_plan.browsed else []
