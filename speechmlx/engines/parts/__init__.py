"""Networks and features that several engines are made of: each stands here once, and none is an engine."""
