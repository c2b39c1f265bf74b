"""The arithmetic of evidence: scores, acceptance, quantiles, cost. Pure, standard library."""
