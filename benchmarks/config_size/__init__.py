"""What Sidecars save, measured with istiod's code and real Envoys: `make benchmark-config-size`.

`mesh.build_mesh` makes a mesh of some shape with its true calls, and everything else follows.
"""
