"""Where time goes: a journal, a clock, a profile and a progress bar."""
