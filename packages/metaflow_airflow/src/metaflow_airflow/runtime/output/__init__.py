"""What a step writes: lines, Metaflow's log files, the line that says why it failed."""
