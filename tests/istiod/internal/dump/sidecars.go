package dump

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/gvk"
)

// ApplySidecars adds the Sidecars of a folder and its subfolders, or replaces those of the same name.
//
// As in a cluster a replaced one keeps its age, which decides which of several is chosen, and a new
// one is younger than all others.
func (m *Mesh) ApplySidecars(dir string) error {
	added, err := loadSidecars(dir)
	if err != nil {
		return err
	}
	newest := time.Time{}
	for _, c := range m.Configs {
		if c.CreationTimestamp.After(newest) {
			newest = c.CreationTimestamp
		}
	}
	for _, sidecar := range added {
		i := slices.IndexFunc(m.Configs, func(c config.Config) bool { return c.Key() == sidecar.Key() })
		if i >= 0 {
			sidecar.CreationTimestamp = m.Configs[i].CreationTimestamp
			m.Configs[i] = sidecar
			continue
		}
		sidecar.CreationTimestamp = newest.Add(time.Second)
		m.Configs = append(m.Configs, sidecar)
	}
	return nil
}

func loadSidecars(dir string) ([]config.Config, error) {
	found := &Mesh{only: gvk.Sidecar.Kind}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !hasObjects(path) {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := found.addStream(raw); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
	return found.Configs, err
}
