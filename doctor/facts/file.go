package facts

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"alignd/doctor"
)

// fileOf follows symbolic links, as connect(2) does.
func fileOf(name string) doctor.File {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return doctor.File{Missing: true}
	case err != nil:
		return doctor.File{Unknown: err.Error()}
	}
	f := doctor.File{Mode: info.Mode(), ACL: hasACL(name)}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.UID, f.GID = int(st.Uid), int(st.Gid)
	}
	return f
}
