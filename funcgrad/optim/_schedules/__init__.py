"""Learning-rate schedulers by topic; `funcgrad.optim.lr_scheduler` is where they are public."""
