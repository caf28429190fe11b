package milter

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// TestRightsAreGivenToTheSocketOnly: not to what somebody puts in its place after it was
// bound.
func TestRightsAreGivenToTheSocketOnly(t *testing.T) {
	dir := socketDir(t)
	precious, other := filepath.Join(dir, "precious"), filepath.Join(dir, "other")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", other)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := os.Chmod(other, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, target string }{
		{name: "a link to a file", target: precious},
		{name: "a link to another socket", target: other},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, "s")
			if err := os.Symlink(tt.target, path); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(path)
			if err := giveRights(path, 0o666, os.Getgid()); err == nil {
				t.Error("no error")
			}
			if info, err := os.Stat(tt.target); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("its rights are %v, %v", info.Mode(), err)
			}
		})
	}
	if err := giveRights(precious, 0o666, -1); err == nil {
		t.Error("a file that is no socket: no error")
	}
	if info, err := os.Stat(precious); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its rights are %v, %v", info.Mode(), err)
	}
}
