"""The ML team's flows and what they are made of."""

# Metaflow puts modules that say so into the code package: a step finds them where nobody has
# installed ml_flows.
METAFLOW_PACKAGE_POLICY = "include"
