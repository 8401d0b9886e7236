"""The response cache: policy decides (pure), stores keep, the middleware acts."""
