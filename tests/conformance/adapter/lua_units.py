"""The state object of state functions, by functions in Lua that do what a case says."""

FUNCTIONS = ()


class Units:
    """Nothing yet."""
