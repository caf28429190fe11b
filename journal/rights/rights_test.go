package rights

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestRightsWhateverTheUmask(t *testing.T) {
	dir := t.TempDir()
	defer syscall.Umask(syscall.Umask(0o077))
	inner := filepath.Join(dir, "a", "b")
	if err := MakeDir(inner); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(inner, "file")
	for range 2 { // one that is there is fine
		f, err := Open(file, os.O_RDWR|os.O_CREATE)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	for path, want := range map[string]os.FileMode{filepath.Dir(inner): DirMode, inner: DirMode, file: FileMode} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if err := os.Chmod(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := MakeDir(inner); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(inner); info.Mode().Perm() != 0o700 {
		t.Error("the rights of a folder that is there are the admin's")
	}
}

// Somebody tries alignd as root before the daemon runs as its user.
func TestWhatRootMakesIsTheFoldersOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("left out: files that root makes, which wants root (make test runs it; it sets ALIGND_E2E=1)")
	}
	dir := t.TempDir()
	const uid, gid = 64131, 64132
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	inner := filepath.Join(dir, "a", "b")
	if err := MakeDir(inner); err != nil {
		t.Fatal(err)
	}
	f, err := Open(filepath.Join(inner, "file"), os.O_RDWR|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, path := range []string{filepath.Dir(inner), inner, f.Name()} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != uid || st.Gid != gid {
			t.Errorf("%s belongs to %d:%d", path, st.Uid, st.Gid)
		}
	}
}
