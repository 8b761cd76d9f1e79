// Package dump reads a mesh as `kubectl get -o yaml` or `-o json` prints it.
package dump

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const (
	clusterDomain = "cluster.local"
	rootNamespace = "istio-system"
	bufferSize    = 512 * 1024
)

// Mesh is what istiod needs of a dump.
type Mesh struct {
	Objects []runtime.Object
	Configs []config.Config
	Config  *meshconfig.MeshConfig
	only    string // skip other kinds; empty for none
}

// kindOf is the part every object has.
type kindOf struct {
	metav1.TypeMeta `json:",inline"`
	Items           []json.RawMessage `json:"items"`
}

// Load reads every YAML and JSON file of a folder.
func Load(dir string) (*Mesh, error) {
	m := &Mesh{Config: mesh.DefaultMeshConfig()}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if !hasObjects(entry.Name()) {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := m.addStream(raw); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	m.leaveOutHidden()
	return m, nil
}

func hasObjects(path string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path))
}

func (m *Mesh) addStream(raw []byte) error {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), bufferSize)
	for {
		var document json.RawMessage
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := m.add(document); err != nil {
			return err
		}
	}
}

func (m *Mesh) add(document json.RawMessage) error {
	var kind kindOf
	if err := json.Unmarshal(document, &kind); err != nil {
		return err
	}
	if kind.Items != nil {
		for _, item := range kind.Items {
			if err := m.add(item); err != nil {
				return err
			}
		}
		return nil
	}
	if m.only != "" && kind.Kind != m.only {
		return nil
	}
	group, _, _ := strings.Cut(kind.APIVersion, "/")
	if strings.HasSuffix(group, ".istio.io") {
		return m.addConfig(document)
	}
	return m.addObject(document)
}

func (m *Mesh) addConfig(document json.RawMessage) error {
	configs, unknown, err := crd.ParseInputs(string(document))
	if err != nil {
		return err
	}
	for _, kind := range unknown {
		return fmt.Errorf("istiod does not know the kind %s", kind.GroupVersionKind())
	}
	for _, c := range configs {
		// Without a domain istiod would expand the short name "cart" to "cart.shop" only.
		c.Domain = clusterDomain
		m.Configs = append(m.Configs, c)
	}
	return nil
}

func (m *Mesh) addObject(document json.RawMessage) error {
	object, _, err := kube.IstioCodec.UniversalDeserializer().Decode(document, nil, nil)
	if err != nil {
		return err
	}
	if cm, ok := object.(*corev1.ConfigMap); ok && cm.Namespace == rootNamespace && cm.Name == "istio" {
		if m.Config, err = mesh.ApplyMeshConfigDefaults(cm.Data["mesh"]); err != nil {
			return err
		}
	}
	m.Objects = append(m.Objects, object)
	return nil
}
