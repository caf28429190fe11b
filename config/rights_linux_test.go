package config

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// Files without rights are told of. Root may read all, so there the files are those of
// nobody, and are read with his rights (setfsuid(2), which is of this thread).
func TestWhatHasNoRightsIsAFault(t *testing.T) {
	const nobody = 65534
	dir := folder(t, map[string]string{"alignd.yaml": "", "conf.d/a.yaml": "mode: monitor\n"})
	if os.Geteuid() == 0 {
		for _, path := range []string{filepath.Dir(dir), dir, dir + "/alignd.yaml", dir + "/conf.d", dir + "/conf.d/a.yaml"} {
			if err := os.Chown(path, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Setfsuid(0) }()
	}
	for _, path := range []string{"conf.d/a.yaml", "conf.d"} {
		path = filepath.Join(dir, path)
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(filepath.Join(dir, "alignd.yaml")); err == nil || err.Error() != path+": cannot be read: permission denied" {
			t.Errorf("%s without rights: %v", path, err)
		}
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
