"""The machinery beside the attacks: slots, the batches that go through them, and the judge."""
