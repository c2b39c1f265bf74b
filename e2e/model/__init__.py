"""A small real model service: fraud scores by scikit-learn, in versions that differ."""
