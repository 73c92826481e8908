"""A package, so that its worlds can end with its last test (fixture scope "package") and not with the whole run."""
