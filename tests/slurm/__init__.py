"""The scripts of examples/slurm on a real Slurm."""
