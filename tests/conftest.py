"""How every test runs."""

from hypothesis import settings

# How long an example takes says more about the machine than about the code. What a commit is
# checked with is the same each time; more examples are found with `derandomize` off.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")
