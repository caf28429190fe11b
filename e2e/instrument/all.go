package instrument

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	binaryName = "alignd"
	pointsName = "points.json"
)

// BuildAll makes a binary in dir, which need not exist, with every function of alignd as
// a point, and with a clock that can be set. Load finds it there.
func BuildAll(dir string) error {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "alignd/cmd/alignd").Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	opt := Options{Dir: dir, Clock: true}
	for path := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(path, "alignd/") {
			opt.Packages = append(opt.Packages, path)
		}
	}
	points, err := Build(opt)
	if err != nil {
		return err
	}
	text, err := json.Marshal(points)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, pointsName), text, 0o644)
}

// Load returns what BuildAll made.
func Load(dir string) (binary string, points []Point, err error) {
	text, err := os.ReadFile(filepath.Join(dir, pointsName))
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(dir, binaryName), points, json.Unmarshal(text, &points)
}
