"""The arithmetic of evidence: scores, acceptance, quantiles from buckets, cost. Pure, standard library only."""
