"""What `torch.nn.functional` adds to the ops of the table: random draws, running statistics, writing in place."""
