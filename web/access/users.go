package access

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
)

// Users are those with a password, in a file of lines NAME:HASH, as htpasswd -B writes
// it. The file is read again when it changes. They are safe for concurrent use.
type Users struct {
	path   string
	mu     sync.Mutex
	read   os.FileInfo // of the file that known is of; nil for none
	known  map[string][]byte
	cost   int    // the highest of known
	nobody []byte // is checked for a name that nobody has, so that it takes as long
}

// OpenUsers reads a file of users. It is fs.ErrNotExist where there is none; the Users are
// then those of one that is made later.
func OpenUsers(path string) (*Users, error) {
	u := &Users{path: path}
	missing := u.load()
	if missing != nil && !errors.Is(missing, os.ErrNotExist) {
		return nil, missing
	}
	var err error
	if u.nobody, err = bcrypt.GenerateFromPassword(random(16), hashCost); err != nil {
		return nil, err
	}
	return u, missing
}

const (
	// lowestCost makes a check take some tenths of a second; ours.
	lowestCost = 12
	// minPassword and maxPassword are in octets; bcrypt looks at 72.
	minPassword, maxPassword = 10, 72
	maxUsersFile             = 1 << 20
)

// hashCost is lowestCost, but in tests.
var hashCost = lowestCost

// load reads the file if it has changed. An unreadable one leaves nobody.
func (u *Users) load() error {
	info, err := os.Stat(u.path)
	if err == nil && u.read != nil && os.SameFile(info, u.read) && info.ModTime().Equal(u.read.ModTime()) && info.Size() == u.read.Size() {
		return nil
	}
	var known map[string][]byte
	if err == nil {
		known, err = readUsers(u.path)
	}
	if err != nil {
		u.known, u.read = map[string][]byte{}, nil
		return err
	}
	u.known, u.read, u.cost = known, info, 0
	for _, hash := range known {
		if cost, err := bcrypt.Cost(hash); err == nil {
			u.cost = max(u.cost, cost)
		}
	}
	return nil
}

func readUsers(path string) (map[string][]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(text) > maxUsersFile {
		return nil, fmt.Errorf("%s is larger than 1 MiB", path)
	}
	known := map[string][]byte{}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		name, hash, ok := strings.Cut(string(line), ":")
		if !ok || CheckName(name) != nil {
			return nil, fmt.Errorf("%s:%d: is not NAME:HASH", path, number)
		}
		if _, err := bcrypt.Cost([]byte(hash)); err != nil {
			return nil, fmt.Errorf("%s:%d: the hash is none of bcrypt; alignd web passwd %s makes one", path, number, name)
		}
		known[name] = []byte(hash)
	}
	return known, nil
}

// Hash is the hash of a user's password now; empty for nobody.
func (u *Users) Hash(name string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	_ = u.load()
	return string(u.known[name])
}

// Count is how many users there are.
func (u *Users) Count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	_ = u.load()
	return len(u.known)
}

// Check reports whether a password is that of a user, and its hash.
func (u *Users) Check(name, password string) (hashed string, ok bool) {
	u.mu.Lock()
	_ = u.load()
	hash, cost := u.known[name], u.cost
	u.mu.Unlock()
	if len(password) > maxPassword {
		hash, password = nil, ""
	}
	there := hash != nil
	if !there {
		hash = costing(u.nobody, cost)
	}
	ok = bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil && there
	return string(hash), ok
}

// costing is a hash of nobody's that takes as long as one of a cost: htpasswd writes less
// than we do, and an answer that takes longer would tell that there is no such name.
func costing(hash []byte, cost int) []byte {
	like := bytes.Clone(hash)
	if cost > 0 && len(like) > 6 { // $2a$12$
		copy(like[4:6], fmt.Sprintf("%02d", cost))
	}
	return like
}

// CheckName says what is wrong with the name of a user.
func CheckName(name string) error {
	switch {
	case name == "" || len(name) > 64:
		return errors.New("a name has 1 to 64 characters")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r == '#' || r == 0x7f }):
		return errors.New("a name has no spaces, controls, : and #")
	}
	return nil
}

// SetPassword writes a user into a file, in place of an earlier one of that name; with an
// empty password it takes him out. The file is replaced at once, with its owner's rights.
func SetPassword(path, name, password string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	known, err := readUsers(path)
	if errors.Is(err, os.ErrNotExist) {
		known, err = map[string][]byte{}, nil
	}
	if err != nil {
		return err
	}
	var hash []byte
	switch {
	case password == "":
		if known[name] == nil {
			return fmt.Errorf("%s has no user %q", path, name)
		}
	case len(password) < minPassword || len(password) > maxPassword:
		return fmt.Errorf("a password has %d to %d octets", minPassword, maxPassword)
	default:
		if hash, err = bcrypt.GenerateFromPassword([]byte(password), hashCost); err != nil {
			return err
		}
	}
	return replaceUser(path, name, hash)
}

// replaceUser leaves all other lines as they are.
func replaceUser(path, name string, hash []byte) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var text bytes.Buffer
	for line := range bytes.Lines(old) {
		if !bytes.HasPrefix(bytes.TrimSpace(line), []byte(name+":")) {
			text.Write(bytes.TrimSuffix(line, []byte("\n")))
			text.WriteByte('\n')
		}
	}
	if hash != nil {
		fmt.Fprintf(&text, "%s:%s\n", name, hash)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".web-users-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	mode := os.FileMode(0o640)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
		keepOwner(f, info)
	}
	_, err = f.Write(text.Bytes())
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
