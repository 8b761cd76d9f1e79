package meshcost

import (
	"encoding/json"
	"os"
	"testing"

	istiolog "istio.io/istio/pkg/log"
)

// TestMeasure answers the request in the file $MEASURE_REQUEST with the file $MEASURE_RESPONSE.
//
// It is a test because Istio's simulation of Envoy only runs in one.
func TestMeasure(t *testing.T) {
	path := os.Getenv("MEASURE_REQUEST")
	if path == "" {
		t.Skip("MEASURE_REQUEST is not set")
	}
	for _, scope := range istiolog.Scopes() {
		scope.SetOutputLevel(istiolog.FatalLevel)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var request Request
	if err := json.Unmarshal(raw, &request); err != nil {
		t.Fatal(err)
	}
	if raw, err = json.Marshal(Run(t, request)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("MEASURE_RESPONSE"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
