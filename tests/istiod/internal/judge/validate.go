package judge

import (
	"encoding/json"
	"testing"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config/schema/collections"
)

// Validation is what istiod's webhook says of a Sidecar; empty means nothing.
type Validation struct {
	Error   string `json:"error"`
	Warning string `json:"warning"`
}

func validate(t *testing.T, manifests []json.RawMessage) []Validation {
	validations := make([]Validation, 0, len(manifests))
	for _, manifest := range manifests {
		validations = append(validations, validateSidecar(t, manifest))
	}
	return validations
}

// validateSidecar does what `(*Webhook).validate` does, which only talks to a Kubernetes API server.
func validateSidecar(t *testing.T, manifest json.RawMessage) Validation {
	var object crd.IstioKind
	if err := json.Unmarshal(normalised(t, manifest), &object); err != nil {
		return Validation{Error: err.Error()}
	}
	config, err := crd.ConvertObject(collections.Sidecar, &object, "cluster.local")
	if err != nil {
		return Validation{Error: err.Error()}
	}
	var validation Validation
	warning, err := collections.Sidecar.ValidateConfig(*config)
	if err != nil {
		validation.Error = err.Error()
	}
	if warning != nil {
		validation.Warning = warning.Error()
	}
	return validation
}

// normalised writes numbers the way a Kubernetes API server hands them on: 80.0 becomes 80.
func normalised(t *testing.T, manifest json.RawMessage) []byte {
	var value any
	if err := json.Unmarshal(manifest, &value); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
