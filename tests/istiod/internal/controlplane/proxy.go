package controlplane

import (
	"encoding/json"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/serviceregistry/util/label"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/config/constants"
)

// The fake server would take a proxy for release 1.23, without what came since.
const defaultIstioVersion = "1.31.0"

// Proxy is one proxy of a mesh.
type Proxy struct {
	// Cluster names its Kubernetes cluster in a mesh of several.
	Cluster   cluster.ID        `json:"kubernetes_cluster"`
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Type      model.NodeType    `json:"type"`
	Labels    map[string]string `json:"labels"`
	IPs       []string          `json:"ips"`
	// Metadata is what the agent sends, such as DNS_CAPTURE; ISTIO_VERSION and CLUSTER_ID have defaults.
	Metadata json.RawMessage `json:"metadata"`
}

// Connect makes the proxy known to istiod.
func Connect(server *xds.FakeDiscoveryServer, p Proxy) (*model.Proxy, error) {
	metadata := &model.NodeMetadata{}
	if len(p.Metadata) > 0 {
		if err := json.Unmarshal(p.Metadata, metadata); err != nil {
			return nil, err
		}
	}
	metadata.Namespace = p.Namespace
	metadata.Labels = p.Labels
	if metadata.IstioVersion == "" {
		metadata.IstioVersion = defaultIstioVersion
	}
	labels := p.Labels
	if p.Cluster != "" {
		metadata.ClusterID = p.Cluster
		labels = label.AugmentLabels(labels, p.Cluster, "", "", "")
	}
	if metadata.ClusterID == "" {
		metadata.ClusterID = constants.DefaultClusterName
	}
	return server.SetupProxy(&model.Proxy{
		Type:            p.Type,
		ID:              p.Name + "." + p.Namespace,
		ConfigNamespace: p.Namespace,
		Labels:          labels,
		IPAddresses:     p.IPs,
		Metadata:        metadata,
	}), nil
}
