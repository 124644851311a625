"""monosem: sparse autoencoders, toy models of superposition, and how to grade them. Never imports snakemake."""
