"""CLIPs and SigLIPs: image and text towers in one space, and how texts become tokens."""
