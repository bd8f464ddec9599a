"""Networks: ``forward(images) -> Outputs``, one file a paper, plus the trunks they share."""
