"""The parts behind `funcgrad.utils.data.DataLoader`."""
