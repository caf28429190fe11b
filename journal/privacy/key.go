package privacy

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"alignd/journal/rights"
)

// keySize is in octets.
const keySize = 32

// ReadKey reads the key of a file. The error is fs.ErrNotExist where there is none.
func ReadKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseKey(path, string(text))
}

// FindKey reads the key of the file that was named, or of usual if that is there; nil
// where it is not.
func FindKey(named, usual string) ([]byte, error) {
	switch {
	case named != "":
		return ReadKey(named)
	case usual != "":
		key, err := ReadKey(usual)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return key, err
	}
	return nil, nil
}

// ParseKey is the key that a text has; at is where it stands.
func ParseKey(at, text string) ([]byte, error) {
	key, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("%s: the key of addresses is not 64 hexadecimal digits", at)
	}
	return key, nil
}

// MakeKey reads a key, or makes one.
func MakeKey(path string) ([]byte, error) {
	key, err := ReadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key = NewKey()
	if err := rights.MakeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := rights.Open(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if errors.Is(err, fs.ErrExist) { // somebody else made one just now
		return ReadKey(path)
	}
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return key, nil
}

// NewKey draws one.
func NewKey() []byte {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	return key
}
