"""Draw the pages of single latents, and write each as one HTML file."""

from pathlib import Path

import numpy as np

from scripts.monosem.browser import names
from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run
from scripts.monosem.figures import feature_page as drawing
from scripts.monosem.figures import style
from scripts.monosem.reporting import feature_page

BROWSER = "../browser/index.html"
"""The feature browser, from a page's folder."""
ABSENT = "The text read has no token of this context, or too few documents with it: no latent was chosen for it."


def main(job: Job) -> None:
    pages = {}
    for path, arrays in zip(job.input.features, job.input.arrays, strict=True):
        document = artefacts.read_json(path)
        pages |= dict.fromkeys(document["features"], (document, arrays))
    browsed = [tuple(place) for place in job.params.browsed]
    template, css = (Path(path).read_text(encoding="utf-8") for path in (job.input.template, job.input.style))
    for path in job.output.html:
        name = Path(path).stem
        if name not in pages:
            style.save_figure(style.empty_figure(ABSENT), path.removesuffix(".html"))
            artefacts.write_text(feature_page.absent(name, ABSENT, css), path)
            continue
        document, stored = pages[name]
        with np.load(stored) as file:
            arrays = {key.removeprefix(f"{name}."): file[key] for key in file.files if key.startswith(f"{name}.")}
        svg, _ = style.save_figure(drawing.page(document["features"][name], arrays), path.removesuffix(".html"))
        place = (document["model"], document["site"], document["run"])
        address = names.permalink(browsed, place, document["features"][name]["latent"])
        link = address and f"{BROWSER}{address}"
        drawn = svg.read_text(encoding="utf-8")
        artefacts.write_text(feature_page.page(name, document, drawn, template, css, link), path)


if __name__ == "__main__":
    run(main, snakemake)
