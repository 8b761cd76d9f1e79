package judge

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	istiolog "istio.io/istio/pkg/log"
)

// TestJudge answers the request in the file $JUDGE_REQUEST with the file $JUDGE_RESPONSE.
//
// It is a test because Istio's simulation of Envoy only runs in one.
func TestJudge(t *testing.T) {
	path := os.Getenv("JUDGE_REQUEST")
	if path == "" {
		t.Skip("JUDGE_REQUEST is not set")
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
	response := Response{
		Cases:       make([][]Verdict, len(request.Cases)),
		Validations: validate(t, request.Manifests),
	}
	for i, c := range request.Cases {
		t.Run(fmt.Sprintf("%d %s", i, c.MeshDir), func(t *testing.T) {
			response.Cases[i] = Run(t, c)
		})
	}
	if raw, err = json.Marshal(response); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("JUDGE_RESPONSE"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
