"""All claims, in the order of the report. A module with new claims is added here."""

from scripts.monosem.reporting.ledger import (
    dictionaries,
    explanations,
    features,
    language_model,
    not_attempted,
    one_layer,
    toy_autoencoders,
    toy_checks,
    toy_computation,
    toy_correlated,
    toy_geometry,
    toy_models,
)
from scripts.monosem.reporting.ledger.claim import claims_of

TOY = claims_of(toy_models, toy_geometry, toy_correlated, toy_computation, toy_autoencoders, toy_checks)
ALL = (*TOY, *claims_of(one_layer, features, explanations, dictionaries, language_model, not_attempted))
