"""The ledger: published claims as functions of a subject, their controls, and the verdicts."""
