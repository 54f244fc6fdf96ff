"""What inference_recorder and other tools do, tried with each over real HTTP; docs/comparison.md shows it."""
