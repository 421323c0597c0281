"""Zero-shot classifiers and what turns class names into them; searched prompts."""
