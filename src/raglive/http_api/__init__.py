"""What the two HTTP servers share: tokens, refusals, allowed hosts, the pipelines' endpoints."""
