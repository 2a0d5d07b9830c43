"""The zoo's networks once more, from torch.nn in other words; and what torchvision's answer."""
