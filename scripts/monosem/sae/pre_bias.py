"""Training without the pre-encoder bias, through losses that have one.

    f = relu(x W_enc + b_enc) = relu((x − b_dec) W_enc + b),   b = b_enc + b_dec W_enc

So the same autoencoder, written with b in place of b_enc, has a pre-encoder bias; only the gradients differ, by the
chain rule. Saved weights are written that way, too: files know one layout.
"""

from dataclasses import replace

from scripts.monosem.sae.parameters import Parameters


def with_pre_bias(weights: Parameters) -> Parameters:
    """Weights of the same function in which b_dec is subtracted before the encoder."""
    return replace(weights, b_enc=weights.b_enc + weights.encoder @ weights.b_dec)


def gradients_without(gradients: Parameters, weights: Parameters) -> Parameters:
    """Gradients for `weights`, which have no pre-encoder bias, from those for with_pre_bias(weights), which change."""
    gradients.encoder.addr_(gradients.b_enc, weights.b_dec)
    return replace(gradients, b_dec=gradients.b_dec + gradients.b_enc @ weights.encoder)
