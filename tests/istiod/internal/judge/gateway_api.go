package judge

import "istio.io/istio/pkg/config/schema/gatewayapi"

// The fake server's CRDs do not tell their version, so that istiod would not read GRPCRoutes.
func init() {
	clear(gatewayapi.MinimumCRDVersions)
}
