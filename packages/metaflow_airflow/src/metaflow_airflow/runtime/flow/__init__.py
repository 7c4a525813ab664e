"""The flow's own command line, environment and datastore, as Metaflow has them."""
