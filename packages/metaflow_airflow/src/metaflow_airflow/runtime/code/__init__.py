"""A flow's code package: fetched, checked, unpacked once a host."""
