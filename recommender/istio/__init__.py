"""The part of istiod that decides scope and routes, as pure functions over `Mesh`: no I/O."""
